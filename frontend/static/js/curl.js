// The shown request as a command for a terminal.

export function asCurl(brokerUrl, { method, path, body }) {
  const words = ["curl -i -X", method, quoted(brokerUrl + path)];
  if (body !== undefined) words.push("-H", quoted("Content-Type: application/json"), "-d", quoted(JSON.stringify(body)));
  return words.join(" ");
}

// In single quotes a POSIX shell leaves everything alone but the quote itself.
function quoted(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
