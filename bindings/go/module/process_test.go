package finback_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"finback"
)

// leave ends this process with status 7 while goroutines of it are in calls.
func leave() {
	engine, err := finback.Open(finback.Options{"model": "krill", "threads": 2})
	if err != nil {
		panic(err)
	}
	started := make(chan struct{}, 1000000)
	for i := 0; i < 3; i++ {
		go func() {
			for {
				stream, err := engine.Chat(background, question)
				for err == nil {
					if _, err = stream.Next(); err == nil {
						started <- struct{}{}
					}
				}
				stream.Close()
			}
		}()
	}
	for i := 0; i < 10; i++ {
		<-started
	}
	os.Exit(7)
}

func TestLeavingWhileGoroutinesCompute(t *testing.T) {
	ctx, stop := context.WithTimeout(background, time.Minute)
	defer stop()
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = append(os.Environ(), "FINBACK_TEST_LEAVES=1")
	output, err := command.CombinedOutput()
	var status *exec.ExitError
	if !errors.As(err, &status) || status.ExitCode() != 7 {
		t.Fatalf("%v, expected status 7\n%s", err, output)
	}
}
