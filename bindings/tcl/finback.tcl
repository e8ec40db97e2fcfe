# DeepSeek-V4 in this process, or the same requests at a service.
#
#   package require finback
#   set engine [finback::Engine new -model krill]
#   set stream [$engine chat {{"messages": [{"role": "user", "content": "Hello"}]}}]
#   $stream each event {
#     if {[dict get $event kind] eq "content"} {puts -nonewline [dict get $event text]}
#   }
#   $stream destroy
#   $engine destroy
#
# Requests and responses are JSON text. Events and usage are dicts. Failures have the errorCode
# {FINBACK NAME CODE DETAILS}: try {...} trap {FINBACK not_found} {message} {...}.
package require Tcl 8.6
package require TclOO

namespace eval ::finback {}

# A class over native handles: METHODS pass through, `close` and `destroy` give the handle up.
proc ::finback::DefineClass {name methods} {
  oo::class create ::finback::$name
  oo::define ::finback::$name variable handle
  oo::define ::finback::$name destructor [format {
    if {[info exists handle]} {::finback_native::delete_%s $handle}
  } $name]
  foreach method [concat $methods close] {
    oo::define ::finback::$name method $method args [format {
      ::finback_native::%s_%s $handle {*}$args
    } $name $method]
  }
}
foreach {name methods} {
  Engine {info models balance verify tokenize tokenize_special detokenize encode encode_tokens}
  Session {}
  Stream {response message chunk usage cancel number}
  Sequence {
    evaluate evaluate_all append position context_tokens vocab roll_back snapshot restore cancel
  }
} {
  ::finback::DefineClass $name $methods
}
unset name methods

foreach name {Session Stream Sequence} {
  oo::define ::finback::$name constructor {native} {set handle $native}
}
unset name

proc ::finback::WithOptions {values body} {
  if {[llength $values] % 2} {
    return -code error "options come as -name value ..."
  }
  set options [::finback_native::new_Options]
  try {
    foreach {name value} $values {
      ::finback_native::Options_set $options [string trimleft $name -] $value
    }
    apply [list options $body ::finback] $options
  } finally {
    ::finback_native::delete_Options $options
  }
}

# finback::Engine new -model krill -threads 2; the options are finback.h's.
oo::define ::finback::Engine {
  constructor args {
    set handle [::finback::WithOptions $args {::finback_native::new_Engine $options}]
  }
  method chat {request} {
    ::finback::Stream new [::finback_native::Engine_chat $handle $request]
  }
  method complete {request} {
    ::finback::Stream new [::finback_native::Engine_complete $handle $request]
  }
  method new_session {} {
    ::finback::Session new [::finback_native::Engine_new_session $handle]
  }
  method new_sequence {} {
    ::finback::Sequence new [::finback_native::Engine_new_sequence $handle]
  }
}

oo::define ::finback::Session method chat {request} {
  ::finback::Stream new [::finback_native::Session_chat $handle $request]
}

oo::define ::finback::Sequence method fork {} {
  ::finback::Sequence new [::finback_native::Sequence_fork $handle]
}

oo::define ::finback::Stream {
  # Like gets: 1 and the next event in the variable, or 0 when the stream is over.
  method next {name} {
    upvar 1 $name event
    set event [::finback_native::Stream_next $handle]
    return [expr {$event ne ""}]
  }
  # Runs the body for each event that is still to come; break and continue work.
  method each {name body} {
    upvar 1 $name event
    while {[set event [::finback_native::Stream_next $handle]] ne ""} {
      uplevel 1 $body
    }
  }
  # All events that are still to come, for foreach.
  method events {} {
    set events {}
    while {[my next event]} {lappend events $event}
    return $events
  }
  # Runs to the end: the answer as one chat.completion object.
  method finish {} {
    while {[my next event]} {}
    my response
  }
}

namespace eval ::finback {
  foreach name {
    version build_info encode_messages parse_completion option_count describe_option cancel_stream
  } {
    interp alias {} ::finback::$name {} ::finback_native::$name
  }
  unset name
}

# What was spent, by the ledger that the options name.
proc ::finback::cost_report {query args} {
  WithOptions $args [format {::finback_native::cost_report $options %s} [list $query]]
}

# What is known of services and their models.
proc ::finback::services {args} {
  WithOptions $args {::finback_native::services $options}
}

package provide finback 0.1.0
