"""Every statement of the store, written out. Values only ever travel as parameters."""

from __future__ import annotations

# Bodies lie apart so that listing and searching people reads small rows only.
SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    received       TEXT NOT NULL,
    helo           TEXT NOT NULL,
    sender         TEXT NOT NULL,
    recipients     TEXT NOT NULL,
    subject        TEXT NOT NULL,
    author         TEXT NOT NULL,
    addressees     TEXT NOT NULL,
    snippet        TEXT NOT NULL,
    attachments    INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    message_id     TEXT NOT NULL,
    find_subject   TEXT NOT NULL,
    find_senders   TEXT NOT NULL,
    find_receivers TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS body (
    seq          INTEGER PRIMARY KEY REFERENCES message (seq) ON DELETE CASCADE,
    find_content TEXT NOT NULL,
    data         BLOB NOT NULL
);
"""

INSERT_MESSAGE = """
INSERT INTO message (id, received, helo, sender, recipients, subject, author, addressees, snippet, attachments, size,
                     message_id, find_subject, find_senders, find_receivers)
VALUES (:id, :received, :helo, :sender, :recipients, :subject, :author, :addressees, :snippet, :attachments, :size,
        :message_id, :find_subject, :find_senders, :find_receivers)
"""

INSERT_BODY = "INSERT INTO body (seq, find_content, data) VALUES (last_insert_rowid(), :find_content, :data)"

SELECT_ONE = """
SELECT id, received, helo, sender, recipients, data FROM message JOIN body USING (seq) WHERE id = ?
"""

# An empty parameter means that anything will do. The first row always comes, so that the total is known on any page.
SELECT_PAGE = """
WITH hit AS (
    SELECT seq, id, received, subject, author, addressees, snippet, attachments, size
    FROM message
    WHERE (:sender = '' OR instr(find_senders, :sender) > 0)
      AND (:receiver = '' OR instr(find_receivers, :receiver) > 0)
      AND (:subject = '' OR instr(find_subject, :subject) > 0)
      AND (:message_id = '' OR message_id = :message_id)
      AND (:content = '' OR instr((SELECT find_content FROM body WHERE body.seq = message.seq), :content) > 0)
      AND (:anywhere = ''
           OR instr(find_senders, :anywhere) > 0
           OR instr(find_receivers, :anywhere) > 0
           OR instr((SELECT find_content FROM body WHERE body.seq = message.seq), :anywhere) > 0)
)
SELECT all_hits.total, page.id, page.received, page.subject, page.author, page.addressees, page.snippet,
       page.attachments, page.size
FROM (SELECT count(*) AS total FROM hit) AS all_hits
LEFT JOIN (SELECT * FROM hit ORDER BY seq DESC LIMIT :limit OFFSET :start) AS page
ORDER BY page.seq DESC
"""

SELECT_USAGE = "SELECT count(*), coalesce(sum(size), 0) FROM message"

DELETE_ONE = "DELETE FROM message WHERE id = ? RETURNING size"
DELETE_OLDEST = "DELETE FROM message WHERE seq = (SELECT min(seq) FROM message) RETURNING size"
DELETE_ALL = "DELETE FROM message RETURNING size"
