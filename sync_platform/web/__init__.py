"""What listens: the door for webhooks, which may face the internet, and the pages, which stay on loopback."""
