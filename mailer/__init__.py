"""The mailer: composes mail from templates and says "sent" only for what the SMTP server accepted."""
