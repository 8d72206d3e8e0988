// Command rpcclient calls RPCServer.LogInfo the way a Go broker does, with either net/rpc codec,
// and prints one JSON line per call so that tests can read what a Go program really sees.
package main

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"time"
)

// RPCPayload is the argument as Go programs of this family declare it: no tags, exported names.
type RPCPayload struct {
	Name string
	Data string
}

// mistypedPayload has the right names and a wrong type.
type mistypedPayload struct {
	Name string
	Data int
}

type origin struct {
	Host string
	Port int
}

// widePayload has every field kind a Go caller may add beside the two that count.
type widePayload struct {
	Name    string
	Tags    map[string]string
	Numbers []int64
	Score   float64
	Urgent  bool
	At      time.Time
	Origin  *origin
	Raw     []byte
	Matrix  [2]uint16
	Data    string
}

// fullPayload is the argument of LogBatch with the fields that our own callers add.
type fullPayload struct {
	Name   string
	Data   string
	ID     string
	Level  string
	Fields string
}

// BatchResult is what LogBatch answers for each entry.
type BatchResult struct {
	ID      string
	Outcome string
	Reason  string
}

// exoticPayload holds what only gob can carry and a server of strings has to step over.
type exoticPayload struct {
	Name   string
	Phase  complex128
	Any    interface{}
	Nested []map[string]*origin
	Data   string
}

type outcome struct {
	Call  int    `json:"call"`
	Reply string `json:"reply"`
	Error string `json:"error"`
}

type options struct {
	codec, addr, method, mode, name, data string
	calls, pipeline                       int
	timeout                               time.Duration
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.codec, "codec", "json", "json or gob")
	flag.StringVar(&o.addr, "addr", "127.0.0.1:5001", "host:port of the server")
	flag.StringVar(&o.method, "method", "RPCServer.LogInfo", "Service.Method to call")
	flag.StringVar(&o.mode, "mode", "plain", "argument: plain, wide (many more fields), exotic (gob only), string (not a struct), alien (other fields), mistyped; batch (for LogBatch: -n entries in one call, the last one a repetition of the first, the second nameless)")
	flag.StringVar(&o.name, "name", "event", "field Name")
	flag.StringVar(&o.data, "data", "hello", "field Data")
	flag.IntVar(&o.calls, "n", 1, "number of calls")
	flag.IntVar(&o.pipeline, "pipeline", 1, "calls in flight on the one connection")
	flag.DurationVar(&o.timeout, "timeout", 30*time.Second, "limit for the whole run")
	flag.Parse()
	return o
}

func (o options) argument() interface{} {
	switch o.mode {
	case "wide":
		return widePayload{
			Name: o.name, Data: o.data,
			Tags: map[string]string{"zone": "b"}, Numbers: []int64{-1, 0, 1 << 40}, Score: 0.5, Urgent: true,
			At: time.Date(2022, 3, 14, 15, 9, 26, 0, time.UTC), Origin: &origin{Host: "node", Port: 7},
			Raw: []byte{0, 255}, Matrix: [2]uint16{1, 65535},
		}
	case "exotic":
		return exoticPayload{
			Name: o.name, Data: o.data, Phase: complex(1, -2), Any: origin{Host: "boxed", Port: 9},
			Nested: []map[string]*origin{{"a": {Host: "inner"}}, {}},
		}
	case "mistyped":
		return mistypedPayload{Name: o.name}
	case "alien":
		return origin{Host: o.name, Port: 1}
	case "string":
		return o.name
	default:
		return RPCPayload{Name: o.name, Data: o.data}
	}
}

func (o options) client() (*rpc.Client, error) {
	conn, err := net.DialTimeout("tcp", o.addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(o.timeout)); err != nil {
		return nil, err
	}
	switch o.codec {
	case "json":
		return jsonrpc.NewClient(conn), nil
	case "gob":
		return rpc.NewClient(conn), nil
	}
	return nil, errors.New("unknown codec " + o.codec)
}

// run keeps at most o.pipeline calls in flight and prints outcomes in the order they were sent.
func run(o options, client *rpc.Client) (failed int) {
	out := json.NewEncoder(os.Stdout)
	slots := make(chan struct{}, o.pipeline)
	sent := make(chan *rpc.Call, o.pipeline)
	finished := make(chan int)
	go func() {
		index, failures := 0, 0
		for call := range sent {
			<-call.Done
			<-slots
			seen := outcome{Call: index, Reply: *call.Reply.(*string)}
			if call.Error != nil {
				seen.Error = call.Error.Error()
				failures++
			}
			if err := out.Encode(seen); err != nil {
				log.Fatal(err)
			}
			index++
		}
		finished <- failures
	}()
	for i := 0; i < o.calls; i++ {
		slots <- struct{}{}
		sent <- client.Go(o.method, o.argument(), new(string), make(chan *rpc.Call, 1))
	}
	close(sent)
	return <-finished
}

// batch sends the entries of one LogBatch call and prints what it is answered for each.
func batch(o options, client *rpc.Client) (failed int) {
	entries := make([]fullPayload, o.calls)
	for i := range entries {
		id := fmt.Sprintf("%s-%d", o.name, i)
		entries[i] = fullPayload{Name: o.name, Data: o.data, ID: id, Level: "warn", Fields: `{"index":` + fmt.Sprint(i) + `}`}
	}
	if o.calls > 2 {
		entries[1].Name = ""
		entries[o.calls-1].ID = entries[0].ID
	}
	var results []BatchResult
	err := client.Call(o.method, entries, &results)
	out := json.NewEncoder(os.Stdout)
	if err != nil {
		if err := out.Encode(outcome{Error: err.Error()}); err != nil {
			log.Fatal(err)
		}
		return 1
	}
	for i, result := range results {
		seen := outcome{Call: i, Reply: result.Outcome + " " + result.ID, Error: result.Reason}
		if err := out.Encode(seen); err != nil {
			log.Fatal(err)
		}
	}
	return 0
}

func main() {
	log.SetFlags(0)
	o := parseOptions()
	gob.Register(origin{})
	client, err := o.client()
	if err != nil {
		log.Fatal(err)
	}
	start := time.Now()
	send := run
	if o.mode == "batch" {
		send = batch
	}
	failed := send(o, client)
	fmt.Fprintf(os.Stderr, "%d calls, %d failed, %.3f s\n", o.calls, failed, time.Since(start).Seconds())
	if failed > 0 {
		os.Exit(1)
	}
}
