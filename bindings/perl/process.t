# A program that forks, or leaves while answers are computed: nothing hangs, nothing crashes.
use strict;
use warnings;
use POSIX ();
use Test::More;
use Finback;

my $QUESTION = { messages => [ { role => 'user', content => 'What do baleen whales eat?' } ] };
my $engine   = Finback::Engine->new(model => 'krill', threads => 2);

sub answer { return $engine->chat($QUESTION)->finish->{choices}[0]{message}{content} }

# What the code returns in a child, or how the child ended.
sub in_a_child {
    my ($code) = @_;
    pipe(my $reader, my $writer) or die $!;
    my $child = fork // die $!;
    if ($child == 0) {
        alarm 60;    # what hangs is killed
        my $said = eval { $code->() } // "error: $@";
        syswrite $writer, $said;
        POSIX::_exit(0);
    }
    close $writer;
    my $said = do { local $/; <$reader> };
    waitpid $child, 0;
    return $? == 0 ? $said : "ended with $?";
}

my $expected = answer();
is(in_a_child(\&answer), $expected, 'a child answers as its parent does');
is(answer(), $expected, 'the parent goes on');

my $stream = $engine->chat($QUESTION);
$stream->next;
is(in_a_child(\&answer), $expected, 'a child of a program with a stream under way');
unlike(in_a_child(sub { while ($stream->next) { } 'the end' }), qr{^ended with},
    'the stream that a child inherits ends, or fails');
is($stream->finish->{choices}[0]{message}{content}, $expected, 'the stream of the parent goes on');
is(in_a_child(sub { undef $stream; undef $engine; 'released' }), 'released', 'a child releases');

done_testing();
