// Asks a question and prints the answer as it comes: go run finback/example [MODEL]
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"finback"
)

type message map[string]string

func main() {
	model := "krill"
	if len(os.Args) > 1 {
		model = os.Args[1]
	}
	engine, err := finback.Open(finback.Options{"model": model})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	stream, err := engine.Chat(context.Background(), map[string]interface{}{
		"messages": []message{{"role": "user", "content": "What do baleen whales eat?"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	event, err := stream.Next()
	for ; err == nil; event, err = stream.Next() { // io.EOF at the end
		if event.Kind == finback.Content {
			fmt.Print(event.Text)
		}
	}
	usage, _ := stream.Usage()
	fmt.Printf("\n[%d tokens in, %d out]\n", usage.PromptTokens, usage.CompletionTokens)
}
