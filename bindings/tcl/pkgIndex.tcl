package ifneeded finback 0.1.0 [list apply {{folder} {
  load [file join $folder finback_native[info sharedlibextension]] Finback_native
  uplevel #0 [list source [file join $folder finback.tcl]]
}} $dir]
