# Asks krill a question and prints the answer as it comes: tclsh example.tcl [MODEL]
package require finback

set model [expr {$argc > 0 ? [lindex $argv 0] : "krill"}]
set engine [finback::Engine new -model $model]
set stream [$engine chat {
  {"messages": [{"role": "user", "content": "What do baleen whales eat?"}]}
}]
fconfigure stdout -encoding utf-8 -buffering none
$stream each event {
  if {[dict get $event kind] eq "content"} {
    puts -nonewline [dict get $event text]
  }
}
set usage [$stream usage]
puts "\n\[[dict get $usage prompt_tokens] tokens in, [dict get $usage completion_tokens] out\]"
$stream destroy
$engine destroy
