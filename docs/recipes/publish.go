// Publish from Go, with nothing but its standard library: go run publish.go URL CHANNEL TEXT.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func publish(base, channel, text string) (string, error) {
	// Known before the first try: who gets no answer may send it again, and it is there once.
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		return "", err
	}
	client := &http.Client{Timeout: 10 * time.Second}
	for attempt := 0; attempt < 6; attempt++ {
		request, err := http.NewRequest("POST", base+"/pub?id="+url.QueryEscape(channel), strings.NewReader(text))
		if err != nil {
			return "", err
		}
		request.Header.Set("Idempotency-Key", hex.EncodeToString(key))
		answer, err := client.Do(request)
		if err == nil {
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode == 200 {
				return string(body), nil
			}
			if answer.StatusCode != 503 {
				return "", fmt.Errorf("not published: %d", answer.StatusCode)
			}
		}
		time.Sleep(200 * time.Millisecond << attempt)
	}
	return "", fmt.Errorf("not published")
}

func main() {
	answer, err := publish(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(answer)
}
