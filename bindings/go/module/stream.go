package finback

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"sync"

	"finback/internal/native"
)

// Kind is an event's kind. Skip those that you do not know.
type Kind int32

// The kinds of finback.h; Other is a newer library's.
const (
	Other         Kind = iota
	Reasoning          // Text: the next piece of reasoning
	Content            // Text: the next piece of the answer
	ToolCall           // a call begins: ToolIndex, ToolID, ToolName
	ToolArguments      // Text: the next piece of the arguments, JSON text
	ToolCallEnd        // the call is complete; Text: all its arguments
	Finish             // the last event: FinishReason
	Progress           // prefill: ProgressDone of ProgressTotal tokens
	Notice             // Text: JSON about what a service did
)

// Event is one event of a stream; what does not concern its kind is empty.
type Event struct {
	Kind                        Kind
	Text                        string
	ToolIndex                   int
	ToolID, ToolName            string
	FinishReason                string          // "stop", "length" or "tool_calls"
	Logprobs                    json.RawMessage // an array; empty unless the request asked
	ProgressDone, ProgressTotal int64
}

// Usage are a stream's token counts.
type Usage struct {
	PromptTokens     int64
	CachedTokens     int64 // of them, not computed again
	CompletionTokens int64
	ReasoningTokens  int64 // of them, spent on reasoning
	DiskTokens       int64 // of the cached ones, read from the cache folder
	ProposedTokens   int64 // drafts that were evaluated
	AcceptedTokens   int64 // of them, what was sampled
}

// Stream is an answer being produced. Calls take turns; any goroutine may Cancel or Close it meanwhile.
type Stream struct {
	native native.Stream
	ctx    context.Context
	stop   func() // ends the goroutine that waits for ctx
}

func newStream(ctx context.Context, request interface{}, start func(string) native.Stream) (*Stream, error) {
	text, err := jsonText(request)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var started native.Stream
	if err := call(func() { started = start(text) }); err != nil {
		return nil, err
	}
	stream := &Stream{native: started, ctx: ctx, stop: func() {}}
	var waiting sync.WaitGroup
	if ctx.Done() != nil {
		stopped := make(chan struct{})
		var once sync.Once
		stream.stop = func() { once.Do(func() { close(stopped) }) }
		waiting.Add(1)
		// It knows the wrapped stream alone: a Stream that is forgotten must be collectable.
		go func() {
			defer waiting.Done()
			select {
			case <-ctx.Done():
				started.Cancel()
			case <-stopped:
			}
		}()
	}
	runtime.SetFinalizer(stream, func(s *Stream) {
		s.stop()
		go func() {
			waiting.Wait()
			native.DeleteStream(started)
		}()
	})
	return stream, nil
}

// Next computes until the next event. io.EOF: the stream is over. When the context cancelled it,
// errors.Is(err, ctx.Err()) holds too.
func (s *Stream) Next() (Event, error) {
	defer runtime.KeepAlive(s)
	if s.ctx.Err() != nil {
		s.native.Cancel() // the goroutine may not have got to it
	}
	var next native.NativeEvent
	if err := call(func() { next = s.native.NextNative() }); err != nil {
		s.stop()
		var failure *Error
		if errors.As(err, &failure) && failure.Code == Cancelled {
			failure.cause = s.ctx.Err()
		}
		return Event{}, err
	}
	if next.Swigcptr() == 0 {
		s.stop()
		return Event{}, io.EOF
	}
	defer native.DeleteNativeEvent(next)
	return Event{
		Kind:          Kind(next.GetKind()),
		Text:          next.GetText(),
		ToolIndex:     int(next.GetTool_index()),
		ToolID:        next.GetTool_id(),
		ToolName:      next.GetTool_name(),
		FinishReason:  next.GetFinish_reason(),
		Logprobs:      json.RawMessage(next.GetLogprobs()),
		ProgressDone:  next.GetProgress_done(),
		ProgressTotal: next.GetProgress_total(),
	}, nil
}

// Events ranges over the events that are still to come (Go 1.23):
//
//	for event, err := range stream.Events() {
//
// An error is the last element; the end is none.
func (s *Stream) Events() func(yield func(Event, error) bool) {
	return func(yield func(Event, error) bool) {
		for {
			event, err := s.Next()
			if err == io.EOF || !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// Response is the answer so far as a chat.completion; complete after Finish.
func (s *Stream) Response() (response json.RawMessage, err error) {
	defer runtime.KeepAlive(s)
	err = call(func() { response = json.RawMessage(s.native.Response()) })
	return response, err
}

// Message is the answer so far as the message that the next request gives back, with its tool calls.
func (s *Stream) Message() (message json.RawMessage, err error) {
	defer runtime.KeepAlive(s)
	err = call(func() { message = json.RawMessage(s.native.Message()) })
	return message, err
}

// Chunk is the present event as a chat.completion.chunk; empty for events that have none.
func (s *Stream) Chunk() (chunk json.RawMessage, err error) {
	defer runtime.KeepAlive(s)
	err = call(func() { chunk = json.RawMessage(s.native.Chunk()) })
	return chunk, err
}

// Finish runs to the end and returns the answer as a chat.completion.
func (s *Stream) Finish() (json.RawMessage, error) {
	for {
		if _, err := s.Next(); err == io.EOF {
			return s.Response()
		} else if err != nil {
			return nil, err
		}
	}
}

// Usage counts tokens so far; final after Finish.
func (s *Stream) Usage() (Usage, error) {
	defer runtime.KeepAlive(s)
	var usage native.NativeUsage
	if err := call(func() { usage = s.native.UsageNative() }); err != nil {
		return Usage{}, err
	}
	defer native.DeleteNativeUsage(usage)
	return Usage{
		PromptTokens:     usage.GetPrompt_tokens(),
		CachedTokens:     usage.GetCached_tokens(),
		CompletionTokens: usage.GetCompletion_tokens(),
		ReasoningTokens:  usage.GetReasoning_tokens(),
		DiskTokens:       usage.GetDisk_tokens(),
		ProposedTokens:   usage.GetProposed_tokens(),
		AcceptedTokens:   usage.GetAccepted_tokens(),
	}, nil
}

// Cancel stops the stream: the running Next, or else the next one, fails with Cancelled.
func (s *Stream) Cancel() {
	defer runtime.KeepAlive(s)
	s.native.Cancel()
}

// Close releases the stream; its session is then free for the next one.
func (s *Stream) Close() error {
	defer runtime.KeepAlive(s)
	s.stop()
	return call(s.native.Close)
}
