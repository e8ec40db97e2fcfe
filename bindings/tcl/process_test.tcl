# A program that leaves while a thread of it computes: nothing hangs, nothing crashes.
package require Tcl 8.6
package require tcltest 2.5
namespace import ::tcltest::test

::tcltest::testConstraint threads [expr {![catch {package require Thread}]}]

# The exit status of a program, or how it ended.
proc status_of {program} {
  set file [::tcltest::makeFile $program leaving.tcl]
  try {
    exec [info nameofexecutable] $file 2>@1
    return 0
  } on error {message options} {
    set code [dict get $options -errorcode]
    return [expr {[lindex $code 0] eq "CHILDSTATUS" ? [lindex $code 2] : "$code: $message"}]
  } finally {
    ::tcltest::removeFile leaving.tcl
  }
}

set worker {
  package require finback
  set engine [finback::Engine new -model krill -threads 2]
  set question {{"messages": [{"role": "user", "content": "What is krill?"}]}}
  set stream [$engine chat $question]
  $stream next event
  thread::send -async %s {incr started}
  while 1 {
    while {[$stream next event]} {}
    $stream destroy
    set stream [$engine chat $question]
  }
}

test leaving-1 {while a thread computes} -constraints threads -body {
  status_of [string map [list WORKER $worker PATH $auto_path] {
    package require Thread
    set auto_path {PATH}
    thread::create "set auto_path {$auto_path}; [format {WORKER} [thread::id]]"
    vwait started
    exit 7
  }]
} -result 7

test leaving-2 {with a stream under way} -body {
  status_of [string map [list PATH $auto_path] {
    set auto_path {PATH}
    package require finback
    set engine [finback::Engine new -model krill -threads 2]
    set stream [$engine chat {{"messages": [{"role": "user", "content": "What is krill?"}]}}]
    $stream next event
    exit 7
  }]
} -result 7

set failed [expr {$::tcltest::numTests(Failed) > 0}]
::tcltest::cleanupTests
exit $failed
