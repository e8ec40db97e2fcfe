package finback

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"finback/internal/native"
)

// Code says what a call failed with. Codes are errors, so that errors.Is(err, finback.NotFound) works.
type Code int32

// The codes of finback.h.
const (
	InvalidArgument Code = -1
	InvalidRequest  Code = -2
	NotFound        Code = -3
	Checkpoint      Code = -4
	Unsupported     Code = -5
	OutOfMemory     Code = -6
	Budget          Code = -7
	ContextFull     Code = -8
	Cancelled       Code = -9
	IO              Code = -10
	Internal        Code = -11
	Authentication  Code = -12
	Quota           Code = -13
	RateLimit       Code = -14
	Service         Code = -15
	Timeout         Code = -16
	Refused         Code = -17
	Schema          Code = -18
)

func (c Code) Error() string {
	return fmt.Sprintf("finback: code %d", int32(c))
}

// Error is what every failed call returns.
type Error struct {
	Code    Code
	Name    string          // of the code: "not_found"
	Message string          // one line
	Details json.RawMessage // what is known of a service's failure; {} for other failures
	cause   error
}

func (e *Error) Error() string {
	return "finback: " + e.Message
}

// Is makes errors.Is(err, code) true for its Code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// Unwrap returns the context's error, if that is what cancelled the call.
func (e *Error) Unwrap() error {
	return e.cause
}

// call runs function, one call of the wrapper, and returns what it failed with. The wrapper keeps the failure
// for the thread: both calls are made on the same one.
func call(function func()) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	function()
	failure := native.TakeFailure()
	if failure == "" {
		return nil
	}
	parts := strings.SplitN(failure, "\x00", 4)
	code, err := strconv.Atoi(parts[0])
	if err != nil || len(parts) != 4 {
		return &Error{Code: Internal, Name: "internal", Message: failure, Details: json.RawMessage("{}")}
	}
	return &Error{Code: Code(code), Name: parts[1], Message: parts[2], Details: json.RawMessage(parts[3])}
}

// jsonText is a request's JSON: json.RawMessage, []byte and string are taken as they are.
func jsonText(request interface{}) (string, error) {
	switch request := request.(type) {
	case string:
		return request, nil
	case []byte:
		return string(request), nil
	case json.RawMessage:
		return string(request), nil
	}
	text, err := json.Marshal(request)
	return string(text), err
}
