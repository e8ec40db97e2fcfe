// Package finback runs DeepSeek-V4 in this process, or sends the same requests to a service.
//
//	engine, err := finback.Open(finback.Options{"model": "krill"})
//	...
//	defer engine.Close()
//	stream, err := engine.Chat(ctx, request)
//	...
//	defer stream.Close()
//	for {
//		event, err := stream.Next()
//		if err == io.EOF {
//			break
//		}
//		...
//	}
//
// Requests are Chat Completions: whatever encoding/json makes one of, or its text. Everything may be closed in
// any order, more than once and from any goroutine; what nobody closed, the garbage collector frees.
package finback

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"

	"finback/internal/native"
)

// Options are those of finback.h by name: strings, numbers and bools.
type Options map[string]interface{}

func (o Options) native() (native.Options, error) {
	options := native.NewOptions()
	for name, value := range o {
		text := fmt.Sprint(value)
		if flag, ok := value.(bool); ok {
			text = map[bool]string{false: "0", true: "1"}[flag]
		}
		if err := call(func() { options.SetText(name, text) }); err != nil {
			native.DeleteOptions(options)
			return nil, err
		}
	}
	return options, nil
}

// Engine is an open model. Goroutines may share it.
type Engine struct {
	native native.Engine
}

// Open opens the model that the option "model" names: a folder, "krill" or "PROVIDER:MODEL".
func Open(options Options) (*Engine, error) {
	set, err := options.native()
	if err != nil {
		return nil, err
	}
	defer native.DeleteOptions(set)
	engine := &Engine{}
	if err := call(func() { engine.native = native.NewEngine(set) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(engine, func(e *Engine) { native.DeleteEngine(e.native) })
	return engine, nil
}

// Close releases the engine; its streams, sessions and sequences keep what they need.
func (e *Engine) Close() error {
	defer runtime.KeepAlive(e)
	return call(e.native.Close)
}

func (e *Engine) text(function func() string) (text string, err error) {
	defer runtime.KeepAlive(e)
	err = call(func() { text = function() })
	return text, err
}

// Info tells what is open, as JSON.
func (e *Engine) Info() (json.RawMessage, error) {
	text, err := e.text(e.native.Info)
	return json.RawMessage(text), err
}

// Models tells what models a service has, as JSON.
func (e *Engine) Models() (json.RawMessage, error) {
	text, err := e.text(e.native.Models)
	return json.RawMessage(text), err
}

// Balance tells the balance of the key's account, as JSON.
func (e *Engine) Balance() (json.RawMessage, error) {
	text, err := e.text(e.native.Balance)
	return json.RawMessage(text), err
}

// Verify checks every weight, and the files' hashes by what sha256sum printed for the folder, unless "".
func (e *Engine) Verify(sha256List string) error {
	defer runtime.KeepAlive(e)
	return call(func() { e.native.Verify(sha256List) })
}

// Tokenize returns the token ids of text, in which special tokens such as <think> are plain text.
func (e *Engine) Tokenize(text string) ([]int32, error) {
	ids, err := e.text(func() string { return e.native.Tokenize(text) })
	return int32s(ids), err
}

// TokenizeSpecial is Tokenize, but special tokens become their ids.
func (e *Engine) TokenizeSpecial(text string) ([]int32, error) {
	ids, err := e.text(func() string { return e.native.TokenizeSpecial(text) })
	return int32s(ids), err
}

// Detokenize returns the text of ids.
func (e *Engine) Detokenize(ids []int32) (string, error) {
	return e.text(func() string { return e.native.Detokenize(ids) })
}

// Encode returns the prompt text that Chat would use for the request.
func (e *Engine) Encode(request interface{}) (string, error) {
	text, err := jsonText(request)
	if err != nil {
		return "", err
	}
	return e.text(func() string { return e.native.Encode(text) })
}

// EncodeTokens returns the token ids that Chat would evaluate for the request.
func (e *Engine) EncodeTokens(request interface{}) ([]int32, error) {
	text, err := jsonText(request)
	if err != nil {
		return nil, err
	}
	ids, err := e.text(func() string { return e.native.EncodeTokens(text) })
	return int32s(ids), err
}

// Chat starts an answer. When ctx is done, the stream is cancelled.
func (e *Engine) Chat(ctx context.Context, request interface{}) (*Stream, error) {
	defer runtime.KeepAlive(e)
	return newStream(ctx, request, e.native.Chat)
}

// Complete continues raw text: {"prompt": ...}.
func (e *Engine) Complete(ctx context.Context, request interface{}) (*Stream, error) {
	defer runtime.KeepAlive(e)
	return newStream(ctx, request, e.native.Complete)
}

// Session is a conversation's memory of its own.
type Session struct {
	native native.Session
}

// NewSession reserves a session's memory.
func (e *Engine) NewSession() (*Session, error) {
	defer runtime.KeepAlive(e)
	session := &Session{}
	if err := call(func() { session.native = e.native.NewSession() }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(session, func(s *Session) { native.DeleteSession(s.native) })
	return session, nil
}

// Chat starts an answer in this session; give it the whole conversation. One at a time.
func (s *Session) Chat(ctx context.Context, request interface{}) (*Stream, error) {
	defer runtime.KeepAlive(s)
	return newStream(ctx, request, s.native.Chat)
}

// Close releases the session; a running stream keeps what it needs.
func (s *Session) Close() error {
	defer runtime.KeepAlive(s)
	return call(s.native.Close)
}

// Version is the library's.
func Version() string {
	return native.Version()
}

// BuildInfo tells how the library was built and what it chose on this machine, as JSON.
func BuildInfo() json.RawMessage {
	return json.RawMessage(native.BuildInfo())
}

// EncodeMessages is DeepSeek-V4's prompt encoding alone, without a model.
func EncodeMessages(request interface{}) (text string, err error) {
	messages, err := jsonText(request)
	if err != nil {
		return "", err
	}
	err = call(func() { text = native.EncodeMessages(messages) })
	return text, err
}

// ParseCompletion parses what a model wrote after the prompt into an assistant message. thinking: it begins
// inside reasoning; strict: any deviation from the published grammar is an error.
func ParseCompletion(text string, thinking, strict bool) (message json.RawMessage, err error) {
	err = call(func() { message = json.RawMessage(native.ParseCompletion(text, thinking, strict)) })
	return message, err
}

// Services tells what is known of services and their models, without asking any, as JSON.
func Services(options Options) (json.RawMessage, error) {
	return report(options, native.Services)
}

// CostReport tells what was spent, by the ledger that the options name, as JSON.
func CostReport(options Options, query interface{}) (json.RawMessage, error) {
	text, err := jsonText(query)
	if err != nil {
		return nil, err
	}
	return report(options, func(set native.Options) string { return native.CostReport(set, text) })
}

func report(options Options, function func(native.Options) string) (json.RawMessage, error) {
	set, err := options.native()
	if err != nil {
		return nil, err
	}
	defer native.DeleteOptions(set)
	var text string
	err = call(func() { text = function(set) })
	return json.RawMessage(text), err
}

// DescribeOptions tells every option's name, type, default and bounds, each as JSON.
func DescribeOptions() (options []json.RawMessage, err error) {
	for i := int64(0); err == nil && i < native.OptionCount(); i++ {
		err = call(func() { options = append(options, json.RawMessage(native.DescribeOption(i))) })
	}
	return options, err
}
