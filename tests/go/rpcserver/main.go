// Command rpcserver is the Go logger's RPC door: it offers RPCServer.LogInfo over either net/rpc codec, and the LogBatch of our own,
// and prints each payload it received as a JSON line, after a first line with its address.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"sync"
)

// RPCPayload is the argument as Go programs of this family declare it.
type RPCPayload struct {
	Name string
	Data string
}

// RPCServer gives the service its wire name.
type RPCServer struct {
	mutex sync.Mutex
	out   *json.Encoder
	fail  string
}

// LogInfo prints what arrived and answers as the original does, or with the error asked for by -fail.
func (s *RPCServer) LogInfo(payload RPCPayload, reply *string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err := s.out.Encode(payload); err != nil {
		return err
	}
	if s.fail != "" {
		return errors.New(s.fail)
	}
	*reply = "Processed payload via RPC:" + payload.Name
	return nil
}

// BatchResult is what LogBatch answers for each entry.
type BatchResult struct {
	ID      string
	Outcome string
	Reason  string
}

// LogBatch is not the original's: it says what bytes a Go program would answer our own method with.
func (s *RPCServer) LogBatch(payloads []RPCPayload, reply *[]BatchResult) error {
	for _, payload := range payloads {
		result := BatchResult{ID: "id-" + payload.Name, Outcome: "stored"}
		if payload.Name == "" {
			result = BatchResult{Outcome: "refused", Reason: "name: must not be empty"}
		}
		*reply = append(*reply, result)
	}
	return nil
}

func main() {
	log.SetFlags(0)
	codec := flag.String("codec", "gob", "json or gob")
	addr := flag.String("addr", "127.0.0.1:0", "host:port to listen on")
	fail := flag.String("fail", "", "answer every call with this error")
	flag.Parse()

	if err := rpc.Register(&RPCServer{out: json.NewEncoder(os.Stdout), fail: *fail}); err != nil {
		log.Fatal(err)
	}
	serve, known := map[string]func(net.Conn){
		"gob":  func(conn net.Conn) { rpc.ServeConn(conn) },
		"json": func(conn net.Conn) { jsonrpc.ServeConn(conn) },
	}[*codec]
	if !known {
		log.Fatal("unknown codec " + *codec)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"listening": listener.Addr().String()}); err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(conn)
	}
}
