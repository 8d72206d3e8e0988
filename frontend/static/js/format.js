// Numbers and times as a person reads them.

export function milliseconds(value) {
  if (value < 0.1) return "<0.1 ms";
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

export function clock(date) {
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

// The server spells reason phrases in capitals, and HTTP/2 leaves them out.
export function statusLine(status, reason) {
  const words = reason.toLowerCase().replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
  return words ? `${status} ${words}` : String(status);
}
