// After a good answer: look at the far end whether what was sent is really there.

const PATIENCE = 5_000;
// The first look waits for an event that is still on its way; a record that is "stored" needs no such wait.
const PAUSES = [150, 250, 400, 600, 900, 1200, 1500];

export async function prove(kind, { reply, started, broker, mailboxUrl }) {
  const data = reply.body?.data ?? {};
  if (kind === "record") return data.id ? findRecord(broker, data, started) : { state: "success", kind: "unnamed" };
  if (kind === "mail") return { state: "success", kind, ...mailLink(mailboxUrl, data) };
  if (kind === "user") return { state: "success", kind, user: data };
  return { state: "success", kind };
}

async function findRecord(broker, { id, stored }, started) {
  const begun = performance.now();
  for (let look = 0; performance.now() - begun < PATIENCE; look += 1) {
    if (look > 0 || stored !== "mongodb") await pause(PAUSES[Math.min(look, PAUSES.length - 1)]);
    const { reply } = await broker.record(id);
    if (reply?.ok) return { state: "success", kind: "record", record: reply.body, afterMs: performance.now() - started };
    // Only "not there yet" is worth asking again.
    if (reply && reply.status !== 404 && reply.status < 500) return { state: "pending", kind: "unreadable", id, status: reply.status };
  }
  return { state: "pending", kind: "late", id, stored, waitedMs: performance.now() - begun };
}

function mailLink(mailboxUrl, { message_id: messageId }) {
  return { messageId, url: messageId ? `${mailboxUrl}/?message_id=${encodeURIComponent(messageId)}` : `${mailboxUrl}/` };
}

function pause(duration) {
  return new Promise((resolve) => setTimeout(resolve, duration));
}
