use Carp ();
use JSON::PP ();
use overload ();
# The hand-written part of Finback.pm: options as a list, requests as data, events to loop over.
use 5.026;
use warnings;
use utf8;

our $VERSION = '0.1.0';

# Errors point at the caller, not into this file.
$Carp::Internal{$_}++
    for qw(Finback Finback::Engine Finback::Session Finback::Stream Finback::Sequence Finback::Options);

# ithreads copy every object into a new thread; two owners would free a handle twice.
for my $class (qw(Engine Session Stream Sequence Options)) {
    no strict 'refs';
    *{"Finback::${class}::CLONE_SKIP"} = sub {1};
}

# Characters, not bytes: encode_json() would encode twice.
my $JSON = JSON::PP->new->canonical->allow_nonref;

sub Finback::_request {
    my ($request) = @_;
    return ref $request && !overload::Method($request, '""') ? $JSON->encode($request) : $request;
}

# Wraps a method of the generated class: its first argument may be data, its result is decoded.
sub Finback::_wrap {
    my ($class, $method, %how) = @_;
    no strict 'refs';
    no warnings 'redefine';
    my $native = \&{"${class}::${method}"};
    *{"${class}::${method}"} = sub {
        my ($self, @arguments) = @_;
        $arguments[0] = Finback::_request($arguments[0]) if $how{request};
        my $result = $native->($self, @arguments);
        return $result if !$how{decode};
        return $result eq '' ? undef : $JSON->decode($result);
    };
    return;
}
Finback::_wrap('Finback::Engine',  $_, request => 1) for qw(chat complete encode encode_tokens);
Finback::_wrap('Finback::Session', 'chat', request => 1);
Finback::_wrap('Finback::Engine',  $_, decode => 1) for qw(info models balance);
Finback::_wrap('Finback::Stream',  $_, decode => 1) for qw(response message chunk);

package Finback;

sub _options {
    my @values  = @_;
    my $options = Finback::Options->new;
    while (my ($name, $value) = splice @values, 0, 2) {
        # readdir and @ARGV give names of files in bytes, whatever these mean.
        my $bytes = $value // '';
        if (!ref $bytes && $bytes =~ /[\x80-\xff]/ && utf8::downgrade($bytes, 1) && $bytes !~ /\0/ && -e $bytes) {
            $options->set_bytes($name, $bytes);
        } else {
            $options->set($name, $value);
        }
    }
    return $options;
}

# What was spent: costs(QUERY, NAME => VALUE, ...); the options name a ledger.
sub costs {
    my ($query, @options) = @_;
    return $JSON->decode(Finback::cost_report(_options(@options), Finback::_request($query)));
}

# What is known of services and their models.
sub known_services {
    return $JSON->decode(Finback::services(_options(@_)));
}

sub describe_options {
    return map { $JSON->decode(Finback::describe_option($_)) } 0 .. Finback::option_count() - 1;
}

package Finback::Engine;
{
    no warnings 'redefine';
    my $native = \&Finback::Engine::new;
    *new = sub {
        my ($class, @options) = @_;
        return $native->($class, $options[0]) if @options == 1 && ref $options[0];
        Carp::croak('Finback::Engine->new: options come as name => value') if @options % 2;
        return $native->($class, Finback::_options(@options));
    };
}

package Finback::Stream;
{
    no warnings 'redefine';
    my $native = \&Finback::Stream::next;
    *next = sub {
        my ($self) = @_;
        my $event = $native->($self);
        return $event && bless $event, 'Finback::Event';
    };
}

# A closure that returns the next event, undef at the end.
sub iterator {
    my ($self) = @_;
    return sub { $self->next };
}

# Runs to the end: the answer as one chat.completion hash.
sub finish {
    my ($self) = @_;
    1 while $self->next;
    return $self->response;
}

package Finback::Event;

for my $field (qw(kind text tool_index tool_id tool_name finish_reason progress_done progress_total)) {
    no strict 'refs';
    *{$field} = sub { $_[0]{$field} };
}

sub logprobs { return $JSON->decode($_[0]{logprobs}) }

package Finback::Error;
use overload '""' => sub { "$_[0]{message}$_[0]{where}" }, bool => sub {1}, fallback => 1;

sub _make {
    my ($code, $name, $message, $details) = @_;
    my $self = {
        code    => $code,
        name    => $name,
        message => $message,
        details => $JSON->decode($details),
        where   => Carp::shortmess(''),
    };
    return bless $self, __PACKAGE__;
}

for my $field (qw(code name message details)) {
    no strict 'refs';
    *{$field} = sub { $_[0]{$field} };
}

package Finback;
