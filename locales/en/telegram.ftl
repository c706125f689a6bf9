### What only Telegram needs.

# --- the bot's own page: an empty chat shows the first (512 letters), the profile the second (120)
telegram-about = Tadım is the Deep Learning Tasting Tour: every stop of the talk is a command. Send a photo and see what a network finds in it, or write a sentence and watch a language model go on. It runs on the computer of whoever hosts this bot. /help lists everything, /privacy says what is kept.
telegram-about-short = The Deep Learning Tasting Tour: send a photo, or type a command. Türkçe and English.

# --- welcome and hints
telegram-welcome = Welcome to Tadım, the Deep Learning Tasting Tour. Send me a photo, or open the menu beside the text field for all commands.
telegram-command-button = /{ $command }
telegram-picture-offer = { $count ->
    [one] A picture! What shall I do with it?
   *[other] { $count } pictures! What shall I do with them?
}
telegram-plain-words = I understand commands and pictures. Open the menu beside the text field for all commands, or send me a photo.
telegram-plain-words-button = I understand commands and pictures. A language model could go on with your words:
telegram-plain-words-command = I understand commands and pictures. This text is too long for a button; if a language model shall read it, type /{ $command } before a shorter one.
telegram-unreadable = I cannot read this kind of message. Send a picture as a photo or as a file, or type a command.
telegram-document-too-large = Of text files I read those of up to { $megabytes } MB. This one is larger.
telegram-document-not-text = This file is not plain text, so I cannot read it. Save it as .txt and send it again.
telegram-document-unexpected = /{ $command } cannot use a text file here: it takes no text, or you have already typed one.
telegram-document-one = I read one text file at a time. Put everything into one file and send that.
telegram-document-gone = Telegram no longer has this file. Send it again.
telegram-edited = You edited the message that this was about, so I have stopped.
telegram-too-many = Answers to your earlier questions are still on their way. Wait for them, then try again.
telegram-too-fast = You write faster than I can read. I left out some of your messages; wait a little and send them again.

# --- an answer on its way
telegram-begun = I am on it.
telegram-writing = Writing…

# --- a group where more is asked than may be answered
telegram-crowd = Many of you are asking at once, and Telegram lets me post only twenty messages a minute in a group. Your answer waits for you in private; whoever does not fetch it there gets it here in turn.
telegram-crowd-button = Fetch my answer
telegram-crowd-later = I am still working on it. The answer will come here.

# --- what Telegram does not allow
telegram-file-too-large = A file of this answer is too large for Telegram, so it is not here.
telegram-undelivered = Telegram did not take a part of this answer. Please try once more.
telegram-pictures-forbidden = This group does not let me send pictures. Its administrators can allow it, or you write to me in private.
telegram-sent-privately = I sent it to you in private, since it is about you.
telegram-write-first = This is about you, so I would rather send it in private. Open a chat with me, press Start, and ask again there.
telegram-open-private = Open a private chat
telegram-not-deleted = Telegram did not let me delete this answer. I can delete my messages for two days only.
telegram-delete-later = I could not reach Telegram to delete this answer. Please try once more.
