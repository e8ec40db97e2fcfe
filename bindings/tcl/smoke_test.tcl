# What a user of the Tcl package relies on, with krill.
package require Tcl 8.6
package require tcltest 2.5
package require finback
namespace import ::tcltest::test

set QUESTION {{"messages": [{"role": "user", "content": "What do baleen whales eat?"}]}}
set engine [finback::Engine new -model krill -threads 1]

::tcltest::testConstraint threads [expr {![catch {package require Thread}]}]
::tcltest::testConstraint exchange [info exists ::env(FINBACK_TOOL_EXCHANGE)]

# The errorCode's name of what the body fails with.
proc failure {body} {
  try {
    uplevel 1 $body
  } trap FINBACK {message options} {
    return [lindex [dict get $options -errorcode] 1]
  }
  return "no failure"
}

test chat-1 {streams in pieces} -body {
  set stream [$engine chat $QUESTION]
  set content {}
  set kinds {}
  $stream each event {
    dict incr kinds [dict get $event kind]
    if {[dict get $event kind] ne "content"} continue
    append content [dict get $event text]
  }
  list [string match *krill* $content] [expr {[dict get $kinds content] > 3}] \
    [dict exists $kinds reasoning] [dict get $kinds finish] [$stream next event] \
    [string match "*$content*" [$stream response]] \
    [expr {[dict get [$stream usage] completion_tokens] > 3}]
} -cleanup {$stream destroy} -result {1 1 1 1 0 1 1}

test chat-2 {events for foreach, and next like gets} -body {
  set stream [$engine chat $QUESTION]
  $stream next first
  foreach event [$stream events] {set last $event}
  list [dict get $first kind] [dict get $last finish_reason]
} -cleanup {$stream destroy} -result {reasoning stop}

test chat-3 {break leaves the rest} -body {
  set stream [$engine chat $QUESTION]
  $stream each event break
  $stream next event
} -cleanup {$stream destroy} -result 1

test session-1 {remembers} -body {
  set session [$engine new_session]
  set first [$session chat $QUESTION]
  $first finish
  set again [$session chat $QUESTION]
  $again finish
  expr {[dict get [$again usage] cached_tokens] > 0}
} -cleanup {
  foreach object [list $first $again $session] {$object destroy}
} -result 1

test tools-1 {of a service's answer} -constraints exchange -body {
  set file [open $::env(FINBACK_TOOL_EXCHANGE)/question.json]
  set service [finback::Engine new -model deepseek:deepseek-flash -api_key none \
    -replay $::env(FINBACK_TOOL_EXCHANGE)]
  set stream [$service chat [read $file]]
  set calls {}
  $stream each event {
    dict with event {
      switch $kind {
        tool_call {dict set calls $tool_index [list $tool_id $tool_name]}
        tool_arguments {append pieces($tool_index) $text}
        tool_call_end {lappend ends $tool_id $text $pieces($tool_index)}
      }
    }
  }
  list $calls $ends [string match *get_time* [$stream message]]
} -cleanup {
  close $file
  $stream destroy
  $service destroy
} -result [list {0 {call_00_a get_weather} 1 {call_01_b get_time}} \
  {call_00_a {{"city":"Oslo"}} {{"city":"Oslo"}} call_01_b {{}} {{}}} 1]

test cancel-1 {stops the stream} -body {
  set stream [$engine chat $QUESTION]
  $stream next event
  $stream cancel
  failure {$stream next event}
} -cleanup {$stream destroy} -result cancelled

test cancel-2 {from another thread, by number} -constraints threads -body {
  set stream [$engine chat $QUESTION]
  $stream next event
  set worker [thread::create -joinable]
  set found [thread::send $worker [format {
    set auto_path {%s}
    package require finback
    finback::cancel_stream %d
  } $auto_path [$stream number]]]
  thread::release $worker
  thread::join $worker
  list $found [failure {$stream next event}]
} -cleanup {$stream destroy} -result {1 cancelled}

test errors-1 {have a code that trap understands} -body {
  try {
    finback::Engine new -model /no/such/model
  } trap {FINBACK not_found} {message options} {
    list [string match *no/such/model* $message] [dict get $options -errorcode]
  }
} -result {1 {FINBACK not_found -3 {{}}}}

test errors-2 {of options, requests and arguments} -body {
  list [failure {finback::Engine new -no_such_option 1}] \
    [failure {$engine chat {{"messages": [{"role": "robot"}]}}}] \
    [failure {$engine chat "{\"messages\": \[\]}\0 and more"}] \
    [failure {$engine detokenize {1 two}}]
} -result {not_found invalid_request invalid_argument invalid_argument}

test text-1 {beyond ASCII, both ways} -body {
  set text "Gr\u00f6\u00dfe, \u9cb8, \ud83d\udc33"
  set ids [$engine tokenize $text]
  set prompt [$engine encode [format {{"messages": [{"role": "user", "content": "%s"}]}} $text]]
  list [string equal $text [$engine detokenize $ids]] [expr {[string first $text $prompt] >= 0}] \
    [catch {finback::Engine new -model "/\u9cb8"} message] [string match "*\u9cb8*" $message]
} -result {1 1 1 1}

test text-2 {a whale is one character of four bytes} -body {
  $engine detokenize [$engine tokenize [encoding convertfrom utf-8 "\xf0\x9f\x90\xb3"]]
} -result [encoding convertfrom utf-8 "\xf0\x9f\x90\xb3"]

test text-3 {half pairs are no text} -body {
  set seen {}
  foreach text [list \ud83d \udc33 a\ud800b] {
    set request [format {{"messages": [{"role": "user", "content": "%s"}]}} $text]
    lappend seen [failure {$engine tokenize $text}] [failure {$engine chat $request}] \
      [failure {finback::Engine new -model /$text}]
  }
  lsort -unique $seen
} -result {invalid_argument invalid_request not_found}

test text-4 {NUL ends nothing early} -body {
  catch {finback::Engine new -model "krill\0 and more"} message
  list $message [failure {finback::Engine new "-model\0" krill}] [failure {$engine verify "\0"}] \
    [failure {$engine chat "{\"messages\": \[\]}\0"}] [string equal "a\0b" [$engine detokenize [$engine tokenize "a\0b"]]]
} -result {{option model: NUL character at byte 5} invalid_argument invalid_argument invalid_argument 1}

test snapshot-1 {round trip} -body {
  set sequence [$engine new_sequence]
  set other [$engine new_sequence]
  set ids [$engine tokenize "Baleen whales eat"]
  $sequence append $ids
  set snapshot [$sequence snapshot]
  set expected [$sequence evaluate [lrange $ids 0 0]]
  $other restore $snapshot
  set result [list [expr {[llength $expected] == [$sequence vocab]}] \
    [expr {[$other position] == [llength $ids]}] \
    [expr {[$other evaluate [lrange $ids 0 0]] eq $expected}] \
    [failure {$other restore "not a snapshot"}]]
  $other roll_back 1
  set copy [$other fork]
  lappend result [expr {[$copy position] == [llength $ids]}]
} -cleanup {
  foreach object [list $sequence $other $copy] {$object destroy}
} -result {1 1 1 invalid_argument 1}

test release-1 {in any order; closed is closed} -body {
  set own [finback::Engine new -model krill -threads 1]
  set stream [$own chat $QUESTION]
  $own destroy
  set result [$stream next event]
  $stream close
  $stream close
  lappend result [failure {$stream next event}]
} -cleanup {$stream destroy} -result {1 invalid_argument}

test library-1 {version, options, parser} -body {
  list [string match *\"deepseek\"* [finback::services]] [failure {finback::cost_report {{}}}] \
    [regexp {^\d+\.\d+\.\d+$} [finback::version]] \
    [string match *\"name\"* [finback::describe_option 0]] \
    [string match *\"why\"* [finback::parse_completion why</think>so 1 0]]
} -result {1 invalid_argument 1 1 1}

$engine destroy
set failed [expr {$::tcltest::numTests(Failed) > 0}]
::tcltest::cleanupTests
exit $failed
