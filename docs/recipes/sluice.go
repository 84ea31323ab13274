// Everything a backend does with sluice, in Go, with nothing but its standard library (1.19 or later):
//
//	sluice publish URL CHANNEL TEXT           publishes, and again without having it twice
//	sluice token SECRET SUB PATTERN           signs a token for channels (HS256, RFC 7518 3.2)
//	sluice webhook ADDRESS                    receives webhooks signed with $HOOK_SECRET
//	sluice worker URL CHANNEL STATE           handles every message of a channel once, whatever is killed
package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	mathrand "math/rand"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// --- publish

// The answer of the server. What may pass is tried again, under one key, so that the message is there once.
func publish(base, channel, text string) (string, error) {
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		return "", err
	}
	client := &http.Client{Timeout: 10 * time.Second}
	why := errors.New("not tried")
	for attempt := 0; attempt < 6; attempt++ {
		if attempt > 0 {
			time.Sleep(100 * time.Millisecond << attempt)
		}
		request, err := http.NewRequest("POST", base+"/pub?id="+url.QueryEscape(channel), strings.NewReader(text))
		if err != nil {
			return "", err
		}
		request.Header.Set("Idempotency-Key", hex.EncodeToString(key))
		answer, err := client.Do(request)
		if err != nil {
			why = err
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode == 200 {
			return string(body), nil
		}
		why = fmt.Errorf("not published: %s %s", answer.Status, answer.Header.Get("X-Nginx-PushStream-Explain"))
		if !mayPass(answer.StatusCode) {
			break
		}
	}
	return "", why
}

func mayPass(status int) bool {
	return status == 408 || status == 425 || status == 429 || status >= 500
}

// --- token

func token(secret, sub, pattern string, lifetime time.Duration) (string, error) {
	encode := base64.RawURLEncoding.EncodeToString
	channels := map[string][]string{"subscribe": {pattern}, "publish": {pattern}}
	exp := time.Now().Add(lifetime).Unix()
	claims, err := json.Marshal(map[string]any{"sub": sub, "exp": exp, "channels": channels})
	if err != nil {
		return "", err
	}
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(claims)
	return signed + "." + encode(sum(secret, signed)), nil
}

func sum(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// --- webhook

const windowSec = 300

var signature = regexp.MustCompile(`^t=(\d{1,12}),v1=([0-9a-f]{64})$`)

func isFromSluice(secret string, body []byte, header string) bool {
	parts := signature.FindStringSubmatch(header)
	if parts == nil {
		return false
	}
	sec, _ := strconv.ParseInt(parts[1], 10, 64)
	if math.Abs(float64(time.Now().Unix()-sec)) > windowSec {
		return false
	}
	given, _ := hex.DecodeString(parts[2])
	return hmac.Equal(given, sum(secret, parts[1]+"."+string(body)))
}

func receive(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, 16<<20))
	if err != nil || !isFromSluice(os.Getenv("HOOK_SECRET"), body, request.Header.Get("X-Sluice-Signature")) {
		answer.WriteHeader(http.StatusUnauthorized)
		return
	}
	var batch struct {
		Events []struct{ Id, Event, Channel string }
	}
	if json.Unmarshal(body, &batch) != nil {
		answer.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, event := range batch.Events {
		// What has this id and was done, is not done again.
		fmt.Println(event.Id, event.Event, event.Channel)
	}
	answer.WriteHeader(http.StatusNoContent)
}

// --- worker

// A connection on which nothing came for two pings is dead, whatever TCP says.
const silence = 35 * time.Second

// Output and position in one file: a line each, `position TAB message`. The last whole line says where we
// are, so a message of several lines is written as one.
type state struct {
	file     *os.File
	position string
}

func openState(path string) (*state, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	// What is behind the last line end was cut off by our death: it counts as not handled.
	end := strings.LastIndexByte(string(text), '\n') + 1
	if err := file.Truncate(int64(end)); err != nil {
		return nil, err
	}
	if _, err := file.Seek(int64(end), io.SeekStart); err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(text[:end]), "\n"), "\n")
	position, _, _ := strings.Cut(lines[len(lines)-1], "\t")
	return &state{file, position}, nil
}

var oneLine = strings.NewReplacer("\\", "\\\\", "\n", "\\n")

func (s *state) handled(position, text string) error {
	if _, err := fmt.Fprintf(s.file, "%s\t%s\n", position, oneLine.Replace(text)); err != nil {
		return err
	}
	s.position = position
	return s.file.Sync()
}

type refused struct{ status int }

func (r refused) Error() string { return "refused: " + strconv.Itoa(r.status) }

// Until the connection is over.
func follow(base, channel string, s *state) error {
	// The first start of all: everything that is stored.
	first := ".b65535"
	if s.position != "" {
		first = ""
	}
	request, err := http.NewRequest("GET", base+"/ev/"+url.PathEscape(channel)+first, nil)
	if err != nil {
		return err
	}
	if s.position != "" {
		request.Header.Set("Last-Event-ID", s.position)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return refused{answer.StatusCode}
	}
	timer := time.AfterFunc(silence, func() { answer.Body.Close() })
	defer timer.Stop()
	var id, kind string
	var data []string
	reader := bufio.NewReader(answer.Body)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return err
		}
		timer.Reset(silence)
		line = strings.TrimRight(line, "\r\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case name == "id":
			id = value
		case name == "event":
			kind = value
		case name == "data":
			data = append(data, value)
		case line == "":
			if kind == "gap" {
				// Here a worker that must have everything reads it from the database that the messages come from.
				err = s.handled(id, "GAP "+strings.Join(data, ""))
			} else if len(data) > 0 && id != "" {
				err = s.handled(id, strings.Join(data, "\n"))
			}
			if err != nil {
				return err
			}
			id, kind, data = "", "", nil
		}
	}
}

func work(base, channel, path string) error {
	s, err := openState(path)
	if err != nil {
		return err
	}
	for failures := 0; ; failures++ {
		began := time.Now()
		var no refused
		if err := follow(base, channel, s); errors.As(err, &no) && !mayPass(no.status) {
			return err
		}
		if time.Since(began) > 5*time.Second {
			failures = 0
		}
		longest := math.Min(10, 0.1*math.Pow(2, float64(failures)))
		time.Sleep(time.Duration(mathrand.Float64() * longest * float64(time.Second)))
	}
}

func main() {
	words := append(os.Args[1:], "", "", "", "")
	var said string
	var err error
	switch words[0] {
	case "publish":
		said, err = publish(words[1], words[2], words[3])
	case "token":
		said, err = token(words[1], words[2], words[3], time.Hour)
	case "webhook":
		err = http.ListenAndServe(words[1], http.HandlerFunc(receive))
	case "worker":
		err = work(words[1], words[2], words[3])
	default:
		err = errors.New("publish URL CHANNEL TEXT, token SECRET SUB PATTERN, " +
			"webhook ADDRESS or worker URL CHANNEL STATE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(said)
}
