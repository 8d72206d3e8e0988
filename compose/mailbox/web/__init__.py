"""The HTTP door: MailHog's API, probes, and the page with what it needs."""
