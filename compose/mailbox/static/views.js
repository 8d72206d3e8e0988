// The four ways to look at one mail. Each makes one element; what the sender wrote goes in as text or in the sandbox.

import { ask, make, withLinks } from "./pieces.js";

const SOURCE_CHARS = 500_000;

export const VIEWS = ["html", "text", "headers", "source"];

export const PAINTERS = {
  html(mail) {
    const frame = make("iframe");
    frame.title = "Content of the mail";
    frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox");
    frame.src = `/messages/${mail.id}/html`;
    return frame;
  },
  text(mail) {
    const block = make("pre");
    block.append(mail.text ? withLinks(mail.text) : "(This mail has no text.)");
    return block;
  },
  headers(mail) {
    const table = make("table");
    const rows = [["Envelope from", mail.envelope.from || "<>"], ["Envelope to", mail.envelope.to.join(", ")], ...mail.headers];
    for (const [name, value] of rows) {
      const row = table.insertRow();
      const head = make("th", "", name);
      head.scope = "row";
      row.append(head, make("td", "", value));
    }
    return table;
  },
  async source(mail) {
    const text = await (await ask(`/messages/${mail.id}/source`)).text();
    const rest = text.length > SOURCE_CHARS ? "\n\n(shortened here; download the mail for the rest)" : "";
    return make("pre", "", text.slice(0, SOURCE_CHARS) + rest);
  },
};
