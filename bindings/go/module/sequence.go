package finback

import (
	"runtime"
	"unsafe"

	"finback/internal/native"
)

// Sequence is the network without text: token ids in, logits out.
type Sequence struct {
	native native.Sequence
}

func newSequence(make func() native.Sequence) (*Sequence, error) {
	sequence := &Sequence{}
	if err := call(func() { sequence.native = make() }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(sequence, func(s *Sequence) { native.DeleteSequence(s.native) })
	return sequence, nil
}

// NewSequence makes an empty sequence of the option context_tokens.
func (e *Engine) NewSequence() (*Sequence, error) {
	defer runtime.KeepAlive(e)
	return newSequence(e.native.NewSequence)
}

// Fork makes an independent copy.
func (s *Sequence) Fork() (*Sequence, error) {
	defer runtime.KeepAlive(s)
	return newSequence(s.native.Fork)
}

// Evaluate appends ids and returns the logits after the last one.
func (s *Sequence) Evaluate(ids []int32) ([]float32, error) {
	text, err := s.text(func() string { return s.native.Evaluate(ids) })
	return float32s(text), err
}

// EvaluateAll appends ids and returns the logits after every one, row by row.
func (s *Sequence) EvaluateAll(ids []int32) ([]float32, error) {
	text, err := s.text(func() string { return s.native.EvaluateAll(ids) })
	return float32s(text), err
}

// Append appends ids.
func (s *Sequence) Append(ids []int32) error {
	defer runtime.KeepAlive(s)
	return call(func() { s.native.Append(ids) })
}

// Position is how many ids were evaluated.
func (s *Sequence) Position() (int64, error) { return s.number(s.native.Position) }

// ContextTokens is how many ids it can hold.
func (s *Sequence) ContextTokens() (int64, error) { return s.number(s.native.ContextTokens) }

// Vocab is how many numbers are in a row of logits.
func (s *Sequence) Vocab() (int64, error) { return s.number(s.native.Vocab) }

// RollBack forgets the last ids, so many.
func (s *Sequence) RollBack(tokens int64) error {
	defer runtime.KeepAlive(s)
	return call(func() { s.native.RollBack(tokens) })
}

// Snapshot is the whole state as bytes; see finback.h.
func (s *Sequence) Snapshot() ([]byte, error) {
	text, err := s.text(s.native.Snapshot)
	return []byte(text), err
}

// Restore replaces the state by a snapshot's.
func (s *Sequence) Restore(snapshot []byte) error {
	defer runtime.KeepAlive(s)
	return call(func() { s.native.Restore(snapshot) })
}

// Cancel stops a running Evaluate, or else the next one; from any goroutine.
func (s *Sequence) Cancel() {
	defer runtime.KeepAlive(s)
	s.native.Cancel()
}

// Close releases the sequence.
func (s *Sequence) Close() error {
	defer runtime.KeepAlive(s)
	return call(s.native.Close)
}

func (s *Sequence) text(function func() string) (text string, err error) {
	defer runtime.KeepAlive(s)
	err = call(func() { text = function() })
	return text, err
}

func (s *Sequence) number(function func() int64) (number int64, err error) {
	defer runtime.KeepAlive(s)
	err = call(func() { number = function() })
	return number, err
}

// The wrapper returns arrays as their bytes.

func int32s(text string) []int32 {
	numbers := make([]int32, len(text)/4)
	if len(numbers) != 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&numbers[0])), len(text)), text)
	}
	return numbers
}

func float32s(text string) []float32 {
	numbers := make([]float32, len(text)/4)
	if len(numbers) != 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&numbers[0])), len(text)), text)
	}
	return numbers
}
