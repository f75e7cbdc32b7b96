"""What happens to an exchange: one stage and its policies a file. Never imports a server implementation."""
