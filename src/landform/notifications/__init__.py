"""What happens to runs is told to whoever wants to know: by HTTP, in chats, by mail."""
