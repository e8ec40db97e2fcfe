package finback_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"finback"
)

type object = map[string]interface{}

func ask(text string) object {
	return object{"messages": []object{{"role": "user", "content": text}}}
}

var (
	krill      *finback.Engine
	question   = ask("What do baleen whales eat?")
	background = context.Background()
)

func TestMain(m *testing.M) {
	if os.Getenv("FINBACK_TEST_LEAVES") != "" {
		leave()
	}
	println(runtime.Version()+",", "finback", finback.Version())
	var err error
	if krill, err = finback.Open(finback.Options{"model": "krill", "threads": 1}); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, code finback.Code, err error) *finback.Error {
	t.Helper()
	var failure *finback.Error
	if !errors.Is(err, code) || !errors.As(err, &failure) {
		t.Fatalf("%v, expected %v", err, code)
	}
	return failure
}

func chat(t *testing.T, request interface{}) *finback.Stream {
	t.Helper()
	stream, err := krill.Chat(background, request)
	ok(t, err)
	t.Cleanup(func() { stream.Close() })
	return stream
}

func content(stream *finback.Stream) (text string, kinds []finback.Kind, last finback.Event, err error) {
	stream.Events()(func(event finback.Event, failure error) bool {
		if err = failure; err == nil {
			last = event
			kinds = append(kinds, event.Kind)
			if event.Kind == finback.Content {
				text += event.Text
			}
		}
		return true
	})
	return
}

func TestChatStreams(t *testing.T) {
	stream := chat(t, question)
	text, kinds, last, err := content(stream)
	ok(t, err)
	if !strings.Contains(text, "krill") || len(kinds) < 8 || kinds[0] != finback.Reasoning {
		t.Fatal(text, kinds)
	}
	if last.Kind != finback.Finish || last.FinishReason != "stop" {
		t.Fatal(last)
	}
	if _, err := stream.Next(); err != io.EOF {
		t.Fatal(err)
	}
	var response struct {
		Choices []struct{ Message struct{ Content string } }
	}
	text2, err := stream.Response()
	ok(t, err)
	ok(t, json.Unmarshal(text2, &response))
	if response.Choices[0].Message.Content != text {
		t.Fatal(string(text2))
	}
	usage, err := stream.Usage()
	ok(t, err)
	if usage.CompletionTokens < int64(len(kinds))/2 {
		t.Fatal(usage)
	}
}

func TestRequestsMayBeText(t *testing.T) {
	stream := chat(t, `{"messages": [{"role": "user", "content": "Hello"}], "logprobs": true}`)
	event, err := stream.Next()
	ok(t, err)
	var logprobs []object
	ok(t, json.Unmarshal(event.Logprobs, &logprobs))
	if len(logprobs) == 0 || logprobs[0]["logprob"].(float64) > 0 {
		t.Fatal(string(event.Logprobs))
	}
	if _, err := krill.Chat(background, make(chan int)); err == nil {
		t.Fatal("a channel is no request")
	}
}

func TestToolsAtAService(t *testing.T) {
	folder := os.Getenv("FINBACK_TOOL_EXCHANGE")
	if folder == "" {
		t.Skip("FINBACK_TOOL_EXCHANGE is not set")
	}
	request, err := os.ReadFile(folder + "/question.json")
	ok(t, err)
	service, err := finback.Open(finback.Options{
		"model": "deepseek:deepseek-flash", "api_key": "none", "replay": folder})
	ok(t, err)
	defer service.Close()
	stream, err := service.Chat(background, request)
	ok(t, err)
	defer stream.Close()
	var names []string
	pieces, arguments := map[int]string{}, map[int]string{}
	for event, err := stream.Next(); err != io.EOF; event, err = stream.Next() {
		ok(t, err)
		switch event.Kind {
		case finback.ToolCall:
			names = append(names, event.ToolID+" "+event.ToolName)
		case finback.ToolArguments:
			pieces[event.ToolIndex] += event.Text
		case finback.ToolCallEnd:
			arguments[event.ToolIndex] = event.Text
		}
	}
	message, err := stream.Message()
	ok(t, err)
	if !strings.Contains(string(message), "get_time") {
		t.Fatal(string(message))
	}
	if !reflect.DeepEqual(names, []string{"call_00_a get_weather", "call_01_b get_time"}) {
		t.Fatal(names)
	}
	if !reflect.DeepEqual(pieces, arguments) || !strings.Contains(arguments[0], "Oslo") {
		t.Fatal(pieces, arguments)
	}
}

func TestSessionsRemember(t *testing.T) {
	session, err := krill.NewSession()
	ok(t, err)
	defer session.Close()
	for i := 0; i < 2; i++ {
		stream, err := session.Chat(background, question)
		ok(t, err)
		_, err = stream.Finish()
		ok(t, err)
		usage, err := stream.Usage()
		ok(t, err)
		// The first may go on from what others have asked the engine.
		if i > 0 && usage.CachedTokens != usage.PromptTokens-1 {
			t.Fatal(i, usage)
		}
	}
}

func TestCancelFromAnotherGoroutine(t *testing.T) {
	stream := chat(t, question)
	_, err := stream.Next()
	ok(t, err)
	done := make(chan bool)
	go func() {
		stream.Cancel()
		close(done)
	}()
	<-done
	_, err = stream.Next()
	fails(t, finback.Cancelled, err)
}

func TestContextCancels(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	stream, err := krill.Chat(ctx, question)
	ok(t, err)
	defer stream.Close()
	_, err = stream.Next()
	ok(t, err)
	cancel()
	_, err = stream.Next()
	fails(t, finback.Cancelled, err)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := krill.Chat(ctx, question); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestGoroutinesShareAnEngine(t *testing.T) {
	answers := make(chan string)
	for i := 0; i < 4; i++ {
		go func() {
			stream, err := krill.Chat(background, question)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer stream.Close()
			text, _, _, _ := content(stream)
			answers <- text
		}()
	}
	first := <-answers
	for i := 1; i < 4; i++ {
		if answer := <-answers; answer != first || !strings.Contains(answer, "krill") {
			t.Fatal(answer, first)
		}
	}
}

func TestErrors(t *testing.T) {
	_, err := finback.Open(finback.Options{"model": "/no/such/model"})
	failure := fails(t, finback.NotFound, err)
	if failure.Name != "not_found" || !strings.Contains(err.Error(), "/no/such/model") ||
		string(failure.Details) != "{}" {
		t.Fatal(failure)
	}
	_, err = finback.Open(finback.Options{"no_such_option": true})
	fails(t, finback.NotFound, err)
	_, err = krill.Chat(background, object{"messages": []object{{"role": "robot"}}})
	fails(t, finback.InvalidRequest, err)
	_, err = krill.Chat(background, "{\"messages\": []}\x00 and more")
	fails(t, finback.InvalidArgument, err)
	_, err = krill.Tokenize("not UTF-8: \xff")
	fails(t, finback.InvalidArgument, err)
	_, err = krill.Detokenize([]int32{-1})
	fails(t, finback.InvalidArgument, err)
}

func TestTextBeyondASCII(t *testing.T) {
	const text = "Größe, 鲸, \U0001F433, NUL \x00."
	ids, err := krill.Tokenize(text)
	ok(t, err)
	back, err := krill.Detokenize(ids)
	ok(t, err)
	if back != text {
		t.Fatal(back)
	}
	const whale = "鲸\U0001F433"
	prompt, err := krill.Encode(ask(whale))
	ok(t, err)
	if !strings.Contains(prompt, whale) {
		t.Fatal(prompt)
	}
	_, err = finback.Open(finback.Options{"model": "/" + whale})
	if !strings.Contains(fails(t, finback.NotFound, err).Message, whale) {
		t.Fatal(err)
	}
}

// Strings of Go are bytes: what is not UTF-8 is refused where text belongs, and taken where a file's name does.
func TestBytesThatAreNoText(t *testing.T) {
	for _, text := range []string{"a\xff", "\xc3", "\xed\xa0\x80", "\xf5\x80\x80\x80"} {
		_, err := krill.Tokenize(text)
		fails(t, finback.InvalidArgument, err)
		_, err = finback.ParseCompletion(text, true, false)
		fails(t, finback.InvalidArgument, err)
		_, err = krill.Chat(background, `{"messages": [{"role": "user", "content": "`+text+`"}]}`)
		fails(t, finback.InvalidRequest, err)
		_, err = finback.Open(finback.Options{"model": "/" + text})
		if failure := fails(t, finback.NotFound, err); !utf8.ValidString(failure.Message) {
			t.Fatal(failure.Message)
		}
		_, err = finback.Open(finback.Options{text: 1})
		fails(t, finback.NotFound, err)
		// encoding/json replaces it, as its documentation says.
		prompt, err := krill.Encode(ask(text))
		ok(t, err)
		if !strings.Contains(prompt, "\ufffd") || !utf8.ValidString(prompt) {
			t.Fatal(prompt)
		}
	}
	_, err := finback.Open(finback.Options{"model": "krill\x00 and more"})
	if failure := fails(t, finback.InvalidArgument, err); !strings.Contains(failure.Message, "NUL character at byte 5") {
		t.Fatal(failure)
	}
	_, err = finback.Open(finback.Options{"model\x00": "krill"})
	fails(t, finback.InvalidArgument, err)
	fails(t, finback.InvalidArgument, krill.Verify("\x00"))
}

func TestFoldersByTheirBytes(t *testing.T) {
	exchange := os.Getenv("FINBACK_TOOL_EXCHANGE")
	if exchange == "" {
		t.Skip("FINBACK_TOOL_EXCHANGE is not set")
	}
	link := t.TempDir() + "/k\xff\xe9"
	ok(t, os.Symlink(exchange+"/../../../examples/krill", link))
	engine, err := finback.Open(finback.Options{"model": link, "threads": 1})
	ok(t, err)
	defer engine.Close()
	stream, err := engine.Chat(background, question)
	ok(t, err)
	defer stream.Close()
	if text, _, _, err := content(stream); err != nil || !strings.Contains(text, "krill") {
		t.Fatal(text, err)
	}
	info, err := engine.Info()
	ok(t, err)
	if !utf8.Valid(info) || !json.Valid(info) {
		t.Fatal(string(info))
	}
}

func TestSnapshots(t *testing.T) {
	ids, err := krill.Tokenize("Baleen whales eat")
	ok(t, err)
	sequence, err := krill.NewSequence()
	ok(t, err)
	defer sequence.Close()
	ok(t, sequence.Append(ids))
	snapshot, err := sequence.Snapshot()
	ok(t, err)
	expected, err := sequence.Evaluate(ids[:1])
	ok(t, err)
	if vocab, err := sequence.Vocab(); err != nil || vocab != int64(len(expected)) {
		t.Fatal(vocab, err)
	}
	other, err := krill.NewSequence()
	ok(t, err)
	ok(t, other.Restore(snapshot))
	if logits, err := other.Evaluate(ids[:1]); err != nil || !reflect.DeepEqual(logits, expected) {
		t.Fatal("other logits", err)
	}
	fails(t, finback.InvalidArgument, other.Restore([]byte("not a snapshot")))
	ok(t, other.RollBack(1))
	fork, err := other.Fork()
	ok(t, err)
	if position, err := fork.Position(); err != nil || position != int64(len(ids)) {
		t.Fatal(position, err)
	}
}

func TestRelease(t *testing.T) {
	engine, err := finback.Open(finback.Options{"model": "krill"})
	ok(t, err)
	stream, err := engine.Chat(background, question)
	ok(t, err)
	ok(t, engine.Close())
	_, err = stream.Next()
	ok(t, err)
	ok(t, stream.Close())
	ok(t, stream.Close())
	stream.Cancel()
	_, err = stream.Next()
	fails(t, finback.InvalidArgument, err)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	for i := 0; i < 50; i++ {
		_, err := krill.Chat(ctx, question)
		ok(t, err)
	}
	runtime.GC()
	runtime.GC()
	_, err = chat(t, question).Next()
	ok(t, err)
}

func TestLibrary(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(finback.Version()) {
		t.Fatal(finback.Version())
	}
	options, err := finback.DescribeOptions()
	ok(t, err)
	if !strings.Contains(string(options[0]), `"model"`) {
		t.Fatal(string(options[0]))
	}
	message, err := finback.ParseCompletion("why</think>so", true, false)
	ok(t, err)
	if !strings.Contains(string(message), "why") {
		t.Fatal(string(message))
	}
	_, err = finback.ParseCompletion("no end", true, true)
	fails(t, finback.InvalidArgument, err)
	services, err := finback.Services(nil)
	ok(t, err)
	if !json.Valid(services) {
		t.Fatal(string(services))
	}
}
