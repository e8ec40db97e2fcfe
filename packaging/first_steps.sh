#!/bin/sh
# What a user does first with the installed packages: the command, a C program, Python, Perl. To be run as an ordinary
# user; writes into a folder of its own, which it removes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset PYTHONPATH PERL5LIB LD_LIBRARY_PATH

answers() {
  answer=$("$@" </dev/null)
  printf '$ %s\n%s\n' "$*" "$answer" >&2
  case $answer in *[Kk]rill*) ;; *) echo "not an answer about krill" >&2 && return 1 ;; esac
}

echo "as $(id -un):" >&2
answers finback chat "What do baleen whales eat?"
answers finback chat "What is krill?"
# shellcheck disable=SC2046 # the flags are words
cc /usr/share/doc/libfinback-dev/examples/chat.c $(pkg-config --cflags --libs finback) -o chat
answers ./chat
answers /usr/bin/python3 -c 'import finback; print(finback.open("krill").chat("What do baleen whales eat?").text)'
answers perl /usr/share/doc/libfinback-perl/examples/example.pl
