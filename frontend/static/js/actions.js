// What each button sends, which way that goes, and what shows that it arrived.

const BROKER = { protocol: "http", by: "HTTP", to: "Broker" };
const LOGGER_STORE = { protocol: "store", by: "", to: "MongoDB" };

const TO_LOGGER = {
  rpc: [BROKER, { protocol: "rpc", by: "JSON-RPC", to: "Logger" }, LOGGER_STORE],
  http: [BROKER, { protocol: "http", by: "HTTP", to: "Logger" }, LOGGER_STORE],
  grpc: [BROKER, { protocol: "grpc", by: "gRPC", to: "Logger" }, LOGGER_STORE],
  amqp: [
    BROKER,
    { protocol: "amqp", by: "AMQP", to: "RabbitMQ" },
    { protocol: "amqp", by: "AMQP", to: "Worker" },
    { protocol: "grpc", by: "gRPC", to: "Logger" },
    LOGGER_STORE,
  ],
};

const TO_SPOOL = [BROKER, { protocol: "store", by: "file", to: "Spool" }, { protocol: "store", by: "replay", to: "MongoDB" }];

const TO_POSTGRES = [BROKER, { protocol: "http", by: "HTTP", to: "Auth" }, { protocol: "store", by: "", to: "PostgreSQL" }];
const TO_MAILBOX = [BROKER, { protocol: "http", by: "HTTP", to: "Mailer" }, { protocol: "store", by: "SMTP", to: "Mailbox" }];

const handle = (body) => ({ method: "POST", path: "/handle", body });

// `answered` is how many hops of the journey the answer alone vouches for; the rest is looked up.
export const ACTIONS = {
  brokerBtn: () => ({ request: { method: "POST", path: "/" }, journey: [BROKER], answered: 1, proof: "answer" }),
  authBrokerBtn: ({ email, password }) => ({
    request: handle({ action: "auth", auth: { email, password } }),
    journey: TO_POSTGRES,
    answered: 3,
    proof: "user",
  }),
  logBtn: ({ name, data, via }) => ({
    // The broker takes JSON-RPC when nothing is said, as the original does.
    request: handle({ action: "log", log: via === "rpc" ? { name, data } : { name, data, via } }),
    journey: TO_LOGGER[via],
    answered: 2,
    proof: "record",
  }),
  logRBtn: ({ name, data }) => ({
    request: handle({ action: "log", log: { name, data, via: "amqp" } }),
    journey: TO_LOGGER.amqp,
    answered: 2,
    proof: "record",
  }),
  logGBtn: ({ name, data }) => ({
    request: { method: "POST", path: "/log-grpc", body: { name, data } },
    journey: TO_LOGGER.grpc,
    answered: 2,
    proof: "record",
  }),
  mailBtn: ({ from, to, subject, message }) => ({
    request: handle({ action: "mail", mail: { from, to, subject, message } }),
    journey: TO_MAILBOX,
    answered: 3,
    proof: "mail",
  }),
};

// With the logger away the broker takes the long way through RabbitMQ, with both away its own spool, whichever door was asked for.
export function journeyTaken(plan, reply) {
  const { stored, via } = reply.body?.data ?? {};
  if (plan.proof !== "record" || !stored) return plan.journey;
  if (stored === "spooled") return TO_SPOOL;
  return stored === "queued" ? TO_LOGGER.amqp : (TO_LOGGER[via] ?? plan.journey);
}
