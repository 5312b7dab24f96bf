# How a stand-in command is declared, and what becomes of what it finds.
#
#   command NAME {FLAGS} {OPTIONS} {LEAST MOST} BODY
#
# FLAGS stand alone, OPTIONS take a value; LEAST..MOST operands. The body sees option(-name) and operands. Anything else
# that a script gives is a finding, as is a command that is not declared at all. A finding ends the script, like an error
# of Vivado; checks of the whole design collect theirs first.

namespace eval dry {
    variable commands 0
    variable findings {}
    array set kind {}
    array set property {}
}

proc dry::finding {text} {
    return -code error -errorcode DRYRUN $text
}

proc dry::collect {text} {
    variable findings
    if {$text ni $findings} {
        lappend findings $text
    }
}

# End a check of the whole design: the first of what was collected ends the script, and the others are said behind it.
proc dry::end_check {} {
    variable findings
    if {$findings ne ""} {
        set first [lindex $findings 0]
        set findings [lrange $findings 1 end]
        finding $first
    }
}

proc command {name flags options operands body} {
    lassign $operands least most
    proc ::$name args [string map [list @NAME [list $name] @FLAGS [list $flags] @OPTIONS [list $options] \
        @LEAST $least @MOST $most @BODY $body] {
        dry::parse @NAME $args @FLAGS @OPTIONS @LEAST @MOST option operands
        @BODY
    }]
}

# An option may be abbreviated, as Vivado has it.
proc dry::full_name {word known} {
    if {$word in $known || ![regexp {^-[a-zA-Z_]+$} $word]} {
        return $word
    }
    set found [lsearch -all -inline -glob $known $word*]
    return [expr {[llength $found] == 1 ? $found : $word}]
}

# Lines for whoever started the script: those of a tool that FINN starts are seen by FINN alone.
proc dry::say {text} {
    puts $text
    if {[info exists ::env(SPIKEFOLD_DRY_RUN)]} {
        set channel [open $::env(SPIKEFOLD_DRY_RUN).said a]
        puts $channel $text
        close $channel
    }
}

# Run a script; the first finding, or error of Tcl itself, ends the tool with status 1.
proc dry::run {script} {
    variable commands
    set said [file tail $script]
    if {[catch {uplevel #0 [list source $script]} message]} {
        say "ERROR: \[dry run\] $said: $message"
        foreach text $::dry::findings {
            say "ERROR: \[dry run\] $said: $text"
        }
        # Where in the script, for its author
        puts $::errorInfo
        exit 1
    }
    say "dry run: $commands commands of $said checked"
}

proc dry::parse {name given flags options least most optionVar operandsVar} {
    variable commands
    upvar 1 $optionVar option $operandsVar operands
    array unset option
    incr commands
    set operands {}
    for {set at 0} {$at < [llength $given]} {incr at} {
        set word [full_name [lindex $given $at] [concat $flags $options]]
        if {$word in $flags} {
            set option($word) 1
        } elseif {$word in $options} {
            incr at
            if {$at >= [llength $given]} {
                finding "$name: option $word has no value"
            }
            set option($word) [lindex $given $at]
        } elseif {[regexp {^-[a-zA-Z_]} $word]} {
            finding "$name has no option $word"
        } else {
            lappend operands $word
        }
    }
    set count [llength $operands]
    if {$count < $least || $count > $most} {
        finding "$name takes $least to $most operands and was given $count: $operands"
    }
}

# Objects: a name of a kind with properties

proc dry::create {kindName name args} {
    variable kind
    variable property
    set kind($name) $kindName
    foreach {key value} $args {
        set property($name,[string toupper $key]) $value
    }
    return $name
}

proc dry::kind_of {name} {
    variable kind
    return [expr {[info exists kind($name)] ? $kind($name) : ""}]
}

proc dry::value {name key {default ""}} {
    variable property
    set full $name,[string toupper $key]
    return [expr {[info exists property($full)] ? $property($full) : $default}]
}

proc dry::all {kindName {pattern *}} {
    variable kind
    set found {}
    foreach {name its} [array get kind] {
        if {$its eq $kindName && [string match $pattern $name]} {
            lappend found $name
        }
    }
    return [lsort -dictionary $found]
}

# Whether an object passes a filter such as {MODE == Master && NAME =~ M*_AXI}
proc dry::passes {object filter} {
    set test {}
    regsub -all {([A-Za-z_.]+)\s*(==|!=|=~|!~)\s*("[^"]*"|[^\s&|()]+)} $filter \
        "\[dry::compare [list $object] {\\1} {\\2} \\3\]" test
    return [expr $test]
}

proc dry::compare {object key operator value} {
    set its [described $object $key]
    switch $operator {
        == {return [expr {$its eq $value}]}
        != {return [expr {$its ne $value}]}
        =~ {return [string match $value $its]}
        default {return [expr {![string match $value $its]}]}
    }
}

# A property, or what a pin or interface is by its cell's ports
proc dry::described {object key} {
    if {[kind_of $object] eq "" || ([kind_of $object] eq "port" && [value $object $key] eq "")} {
        return [bd::describe $object $key]
    }
    if {$key eq "NAME" && [value $object NAME] eq ""} {
        return [file tail $object]
    }
    return [value $object $key]
}

# Properties that may be set, by kind of object; cells and their pins ask the catalog.
array set dry::writable {
    port {NAME CONFIG.FREQ_HZ}
    segment {OFFSET RANGE}
    project {IP_REPO_PATHS BOARD_PART BOARD_PART_REPO_PATHS DEFAULT_LIB TARGET_LANGUAGE XPM_LIBRARIES IP_OUTPUT_REPO}
    fileset {TOP GENERIC INCLUDE_DIRS VERILOG_DEFINE TOP_FILE}
    file {FILE_TYPE SYNTH_CHECKPOINT_MODE USED_IN LIBRARY IS_GLOBAL_INCLUDE}
    run {STRATEGY}
    core {NAME VERSION DISPLAY_NAME DESCRIPTION VENDOR LIBRARY SUPPORTED_FAMILIES CORE_REVISION VENDOR_DISPLAY_NAME
        IPI_DRC COMPANY_URL AUTO_FAMILY_SUPPORT_LEVEL SDX_KERNEL SDX_KERNEL_TYPE XPM_LIBRARIES}
    businterface {SLAVE_MEMORY_MAP_REF MASTER_ADDRESS_SPACE_REF DISPLAY_NAME DESCRIPTION}
    busparameter {VALUE VALUE_RESOLVE_TYPE}
    packagedfile {TYPE}
    memorymap {DISPLAY_NAME}
    addressspace {RANGE WIDTH DISPLAY_NAME}
    addressblock {USAGE BASE_ADDRESS RANGE WIDTH DISPLAY_NAME}
}
set dry::file_types {SystemVerilog Verilog {Verilog Header} {Memory Initialization Files} XDC VHDL}

proc dry::set_one {key value object} {
    variable property
    variable writable
    variable file_types
    set its [kind_of $object]
    if {$its eq ""} {
        finding "set_property $key: there is no object $object"
    }
    set key [string toupper $key]
    if {$its eq "port" && $key eq "NAME"} {
        bd::rename_port $object $value
        return
    }
    if {$its eq "segment"} {
        bd::move_segment $object $key $value
        return
    }
    if {$its eq "cell"} {
        catalog::check_parameter $object $key $value
    } elseif {![info exists writable($its)] || ($key ni $writable($its) && !($its eq "run" && [string match STEPS.* $key]))} {
        finding "$object is a $its and has no property $key that can be set"
    }
    if {$its eq "file" && $key eq "FILE_TYPE" && $value ni $file_types} {
        finding "$value is no file type of Vivado"
    }
    set property($object,$key) $value
}

proc set_property {args} {
    dry::parse set_property $args {-quiet} {-dict -name -value -objects} 0 3 option operands
    if {[info exists option(-name)]} {
        set operands [list $option(-name) $option(-value) $option(-objects)]
    }
    if {[info exists option(-dict)]} {
        if {[llength $operands] != 1} {
            dry::finding "set_property -dict takes a dictionary and the object"
        }
        if {[llength $option(-dict)] % 2} {
            dry::finding "set_property -dict: a name has no value: $option(-dict)"
        }
        foreach object [lindex $operands 0] {
            foreach {key value} $option(-dict) {
                dry::set_one $key $value $object
            }
        }
        return
    }
    if {[llength $operands] != 3} {
        dry::finding "set_property takes a name, a value and the object, not: $operands"
    }
    lassign $operands key value objects
    if {$objects eq ""} {
        dry::finding "set_property $key: there is no object"
    }
    foreach object $objects {
        dry::set_one $key $value $object
    }
}

proc get_property {args} {
    dry::parse get_property $args {-quiet} {} 2 2 option operands
    lassign $operands key object
    if {[llength $object] == 1} {
        set object [lindex $object 0]
    }
    if {[dry::kind_of $object] eq "" && [bd::describe $object NAME] eq ""} {
        if {[info exists option(-quiet)]} {
            return ""
        }
        dry::finding "get_property $key: there is no object $object"
    }
    return [dry::described $object $key]
}

proc unknown {name args} {
    return -code error -errorcode DRYRUN "$name is no command that Vivado has, as far as this dry run knows"
}
