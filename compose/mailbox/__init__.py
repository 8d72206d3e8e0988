"""The development mailbox: takes every mail over SMTP and shows it on a web page and over MailHog's JSON API.

Nothing is ever relayed. It stands alone so that it can start before any service.
"""
