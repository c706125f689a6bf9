### What only Discord needs.

# --- forms
discord-form-picture = Choose a picture
discord-form-value = Fill in

# --- menus on messages (Apps → …); commands without an entry use their own name
discord-menu-detect = Detect objects
discord-no-picture = There is no picture in this message. Choose a message that has one.

# --- threads, and taking answers away
discord-thread = I have opened a thread for this. It goes on there:
discord-not-deleted = Discord did not let me delete all of it. The server’s moderators can delete the rest.

# --- files
discord-smaller = The picture was too large for this chat, so it is sent a little smaller.
discord-left-out = A file was too large for this chat and is left out.
discord-long-text = The text is too long for the chat; the attached file has all of it.

# --- start and end
discord-restarting = I am about to restart. Try again in a minute.
discord-outdated = This command has changed. Restart your Discord (Ctrl+R) and try again.
