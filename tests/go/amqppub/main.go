// Command amqppub publishes log events exactly as the Go broker of this family does: topic exchange
// logs_topic declared durable, transient text/plain message, tab-indented JSON, not mandatory, no confirms.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

type logPayload struct {
	Name string `json:"name"`
	Data string `json:"data"`
}

func publish(channel *amqp.Channel, key string, body []byte, count int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for i := 0; i < count; i++ {
		message := amqp.Publishing{ContentType: "text/plain", Body: body}
		if err := channel.PublishWithContext(ctx, "logs_topic", key, false, false, message); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	log.SetFlags(0)
	url := flag.String("url", "amqp://guest:guest@127.0.0.1:5672/", "broker address with credentials")
	count := flag.Int("n", 1, "number of messages")
	key := flag.String("key", "log.INFO", "routing key")
	name := flag.String("name", "event", "field name")
	data := flag.String("data", "hello", "field data")
	show := flag.Bool("show", false, "print the message body and do not connect")
	flag.Parse()

	body, err := json.MarshalIndent(logPayload{Name: *name, Data: *data}, "", "\t")
	if err != nil {
		log.Fatal(err)
	}
	if *show {
		if _, err := os.Stdout.Write(body); err != nil {
			log.Fatal(err)
		}
		return
	}
	connection, err := amqp.Dial(*url)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if err := channel.ExchangeDeclare("logs_topic", "topic", true, false, false, false, nil); err != nil {
		log.Fatal(err)
	}
	if err := publish(channel, *key, body, *count); err != nil {
		log.Fatal(err)
	}
	// closing the channel waits for the broker, so nothing is still in a socket buffer when this program ends
	if err := channel.Close(); err != nil {
		log.Fatal(err)
	}
}
