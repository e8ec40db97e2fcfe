#!/usr/bin/env perl
# Asks a question and prints the answer as it comes: perl example.pl [MODEL [QUESTION]]
use strict;
use warnings;
use utf8;
use open qw(:std :encoding(UTF-8));
use Encode qw(decode);
use Finback;

my ($model, $question) = map { decode('UTF-8', $_) } @ARGV;
$| = 1;

my $engine = Finback::Engine->new(model => $model // 'krill');
my $stream = $engine->chat({
    messages => [ { role => 'user', content => $question // 'What do baleen whales eat?' } ],
});
while (my $event = $stream->next) {
    print $event->text if $event->kind eq 'content';
}
my $usage = $stream->usage;
print "\n[$usage->{prompt_tokens} tokens in, $usage->{completion_tokens} out]\n";
