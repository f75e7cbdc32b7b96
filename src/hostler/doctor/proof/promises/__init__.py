"""What hostler promises on HTTP.sys; each is tried for real, by clients on raw sockets."""
