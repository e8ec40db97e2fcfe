# What a user of the Perl module relies on, with krill.
use strict;
use warnings;
use utf8;
use Config;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;
use Finback;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my $QUESTION = { messages => [ { role => 'user', content => 'What do baleen whales eat?' } ] };
my $engine   = Finback::Engine->new(model => 'krill', threads => 1);

# Runs the code, which must fail with an error of that name; returns the error.
sub fails {
    my ($name, $code) = @_;
    eval { $code->(); 1 } and return fail("$name expected");
    my $error = $@;
    isa_ok($error, 'Finback::Error') or return diag($error);
    is($error->name, $name, "$name: " . $error->message);
    return $error;
}

subtest 'the synopsis' => sub {
    # Beside this file in the sources, beside the module where that is installed.
    my ($page) = grep { -f } map { "$_/Finback.pod" } dirname(__FILE__), dirname($INC{'Finback.pm'});
    open my $file, '<', $page or die "$page: $!";
    my ($program) = join('', <$file>) =~ /^=head1 SYNOPSIS\n(.*?)^=/ms;
    open my $perl, '-|', $^X, (map { "-I$_" } @INC), '-e', $program or die $!;
    like(join('', <$perl>), qr/krill/, 'answers');
    ok(close $perl, 'and ends well');
};

subtest 'chat, streamed' => sub {
    my $stream = $engine->chat($QUESTION);
    my ($content, $pieces, $reasoning, $finish) = ('', 0, '');
    while (my $event = $stream->next) {
        $reasoning .= $event->text if $event->kind eq 'reasoning';
        $finish = $event->finish_reason if $event->kind eq 'finish';
        next if $event->kind ne 'content';
        $content .= $event->text;
        $pieces++;
    }
    like($content, qr/krill/, 'answers');
    cmp_ok($pieces, '>', 3, 'in pieces');
    ok(length $reasoning, 'reasons');
    is($finish, 'stop', 'finishes');
    is($stream->next, undef, 'stays at the end');
    is($stream->response->{choices}[0]{message}{content}, $content, 'response agrees');
    cmp_ok($stream->usage->{completion_tokens}, '>', $pieces, 'usage counts');
};

subtest 'JSON text, iterator, session' => sub {
    my $session = $engine->new_session;
    my $next    = $session->chat(JSON::PP->new->encode($QUESTION))->iterator;
    my $content = '';
    while (my $event = $next->()) {
        $content .= $event->text if $event->kind eq 'content';
    }
    like($content, qr/krill/);
    my $again = $session->chat($QUESTION);
    $again->finish;
    cmp_ok($again->usage->{cached_tokens}, '>', 0, 'the session remembers');
};

subtest 'tools, at a service' => sub {
    my $folder = $ENV{FINBACK_TOOL_EXCHANGE} or plan skip_all => 'FINBACK_TOOL_EXCHANGE is not set';
    open my $file, '<:encoding(UTF-8)', "$folder/question.json" or die "$folder/question.json: $!";
    my $question = do { local $/; <$file> };    # as it is: the recording knows its order
    my $service  = Finback::Engine->new(
        model   => 'deepseek:deepseek-flash',
        api_key => 'none',
        replay  => $folder,
    );
    my $stream = $service->chat($question);
    my (%calls, %pieces);
    while (my $event = $stream->next) {
        $calls{ $event->tool_index } = [ $event->tool_id, $event->tool_name ] if $event->kind eq 'tool_call';
        $pieces{ $event->tool_index } .= $event->text if $event->kind eq 'tool_arguments';
        is($stream->chunk->{object}, 'chat.completion.chunk', 'chunk') if $event->kind eq 'tool_call';
        next if $event->kind ne 'tool_call_end';
        is($event->text, $pieces{ $event->tool_index }, 'arguments');
        is($event->tool_id, $calls{ $event->tool_index }[0], 'the same call');
    }
    is_deeply(\%calls, { 0 => [ 'call_00_a', 'get_weather' ], 1 => [ 'call_01_b', 'get_time' ] }, 'calls');
    is_deeply(JSON::PP->new->decode($pieces{0}), { city => 'Oslo' }, 'arguments are JSON');
    is($stream->message->{tool_calls}[1]{function}{name}, 'get_time', 'message');
    is($stream->chunk, undef, 'no chunk behind the end');
};

subtest 'logprobs' => sub {
    my $stream = $engine->chat({ %$QUESTION, logprobs => JSON::PP::true() });
    my ($first) = grep { @{ $_->logprobs } } map { $stream->next } 1 .. 3;
    cmp_ok($first->logprobs->[0]{logprob}, '<=', 0);
};

subtest 'cancel' => sub {
    my $stream = $engine->chat($QUESTION);
    ok($stream->next, 'runs');
    $stream->cancel;
    fails(cancelled => sub { $stream->next });
};

subtest 'cancel from another thread' => sub {
    plan skip_all => 'a perl without threads' if !$Config{useithreads};
    require threads;
    my $stream = $engine->chat($QUESTION);
    ok($stream->next, 'runs');
    my $number = $stream->number;
    ok(threads->create(sub { Finback::cancel_stream($number) })->join, 'found by its number');
    fails(cancelled => sub { $stream->next });
    ok($engine->info->{model}, 'the thread took nothing of ours with it');
    $stream->close;
    ok(!Finback::cancel_stream($number), 'a closed stream has no number');
};

subtest 'errors' => sub {
    my $error = fails(not_found => sub { Finback::Engine->new(model => '/no/such/model') });
    is($error->code, -3, 'code');
    like("$error", qr{/no/such/model at \Q$0\E line \d+}, 'message and place');
    is_deeply($error->details, {}, 'details');
    fails(not_found       => sub { Finback::Engine->new(no_such_option => 1) });
    fails(invalid_request => sub { $engine->chat({ messages => [ { role => 'robot' } ] }) });
    fails(invalid_argument => sub { $engine->tokenize(undef) });
    fails(invalid_argument => sub { $engine->detokenize('7') });
    fails(invalid_argument => sub { $engine->chat("{\"messages\": []}\0 and more") });
};

subtest 'text beyond ASCII' => sub {
    my $text = "Größe, 鲸, \x{1F433}";
    my $ids  = $engine->tokenize($text);
    is($engine->detokenize($ids), $text, 'tokens and back');
    my $prompt = $engine->encode({ messages => [ { role => 'user', content => $text } ] });
    like($prompt, qr/\Q$text\E/, 'in a request');
    my $latin1 = "caf\xe9";
    is($engine->detokenize($engine->tokenize($latin1)), $latin1, 'whatever Perl stores it as');
    fails(not_found => sub { Finback::Engine->new(model => "/\x{9cb8}") })->message =~ /鲸/
        and pass('in an error');
};

subtest 'text that UTF-8 does not have' => sub {
    no warnings qw(surrogate non_unicode);
    for my $text ("\x{d800}", "a\x{dfff}b", chr 0x110000) {
        fails(invalid_argument => sub { $engine->tokenize($text) });
        fails(invalid_request => sub { $engine->chat({ messages => [ { role => 'user', content => $text } ] }) });
        fails(not_found => sub { Finback::Engine->new(model => "/$text") });
        fails(not_found => sub { Finback::Engine->new($text => 1) });
    }
    like(fails(invalid_argument => sub { Finback::Engine->new(model => "krill\0 and more") })->message,
        qr/model: NUL character at byte 5/, 'where');
    fails(invalid_argument => sub { Finback::Engine->new("model\0" => 'krill') });
    fails(invalid_argument => sub { $engine->verify("\0") });
    is($engine->detokenize($engine->tokenize("a\0b")), "a\0b", 'NUL is a character');
};

subtest 'folders by their bytes' => sub {
    plan skip_all => 'FINBACK_TOOL_EXCHANGE is not set' if !$ENV{FINBACK_TOOL_EXCHANGE};
    my $folder = tempdir(CLEANUP => 1);
    # As readdir and @ARGV give them.
    for my $name ("k\xff\xe9", "\xe9\xb2\xb8", "caf\xc3\xa9") {
        symlink "$ENV{FINBACK_TOOL_EXCHANGE}/../../../examples/krill", "$folder/$name" or die $!;
        my $own = Finback::Engine->new(model => "$folder/$name", threads => 1);
        like($own->chat($QUESTION)->finish->{choices}[0]{message}{content}, qr/krill/, 'answers');
        ok(utf8::is_utf8($own->info->{model}) && utf8::valid($own->info->{model}), 'is named in characters');
    }
    # In characters, as other text.
    like(Finback::Engine->new(model => "$folder/\x{9cb8}", threads => 1)->info->{model}, qr/\x{9cb8}$/, 'decoded');
};

subtest 'snapshot' => sub {
    my $sequence = $engine->new_sequence;
    my $ids      = $engine->tokenize('Baleen whales eat');
    $sequence->append($ids);
    my $snapshot = $sequence->snapshot;
    my $expected = $sequence->evaluate([ $ids->[0] ]);
    is(scalar @$expected, $sequence->vocab, 'a row of logits');
    my $other = $engine->new_sequence;
    $other->restore($snapshot);
    is($other->position, scalar @$ids, 'restored');
    is_deeply($other->evaluate([ $ids->[0] ]), $expected, 'goes on with the same bits');
    fails(invalid_argument => sub { $other->restore('not a snapshot') });
    $other->roll_back(1);
    is($other->fork->position, scalar @$ids, 'rolled back, forked');
};

subtest 'release' => sub {
    my $own    = Finback::Engine->new(model => 'krill', threads => 1);
    my $stream = $own->chat($QUESTION);
    $own->close;
    $own->close;
    fails(invalid_argument => sub { $own->info });
    ok($stream->next, 'a stream keeps what it needs');
    $stream->close;
    fails(invalid_argument => sub { $stream->next });
};

subtest 'library' => sub {
    like(Finback::version(), qr/^\d+\.\d+\.\d+$/);
    ok((grep { $_->{name} eq 'model' } Finback::describe_options()), 'options');
    my ($service) = grep { $_->{name} eq 'deepseek' } @{ Finback::known_services()->{services} };
    ok($service->{key_required}, 'services');
    fails(invalid_argument => sub { Finback::costs({}) });
    my $message = Finback::parse_completion('why</think>so', 1, 0);
    is(JSON::PP->new->decode($message)->{reasoning_content}, 'why', 'parse_completion');
};

done_testing();
