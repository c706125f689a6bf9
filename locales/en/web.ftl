### The web page. In the page itself, { $name } and the like are filled in by the browser.

web-title = Tadım: the Deep Learning Tasting Tour
web-name = Tadım
web-tagline = The Deep Learning Tasting Tour
web-description = Taste deep learning in a chat: drop a photo, see what a neural network sees in it.
web-language-name = English
web-noscript = This page needs JavaScript. Switch it on, then reload the page.
web-arrive = One moment…

# --- around the conversation
web-skip = Skip to the message box
web-tour = The tour
web-language = Language
web-theme-system = Colours: as the system
web-theme-light = Colours: light
web-theme-dark = Colours: dark
web-clear = Clear the conversation
web-clear-ask = Forget this conversation and its pictures? What is still running stops.
web-clear-yes = Forget it
web-clear-no = Keep it
web-source = Source code (AGPL-3.0)
web-log = Conversation
web-you = You
web-newest = Newest message

# --- the first screen
web-welcome = Taste deep learning.
web-welcome-lead = Drop a photo and see what a neural network sees in it, or type / to pick a stop of the tour.
web-welcome-choose = Choose a photo
web-welcome-or = or drop one anywhere on this page, or paste it
web-welcome-sample = Try a sample photo
web-welcome-stops = Or begin here
web-welcome-privacy = Your pictures are kept in memory only and forgotten after { $minutes } minutes at the latest.

# --- the message box
web-message = Message
web-placeholder = Type / for commands, or drop a photo
web-placeholder-text = Write something, or type / for commands
web-placeholder-value = Write it here: { $name }
web-send = Send
web-attach = Add a picture
web-commands = Commands
web-palette-none = No command like that.
web-palette-keys = ↑ ↓ choose, Enter takes it, Esc closes
web-usage = Settings: { $value }
web-text-offer = Enter sends this to
web-picture-offer = What shall I do with this picture?
web-run = Run
web-close = Close
web-optional = optional
web-range = { $low } to { $high }
web-yes = yes
web-no = no
web-form-picture = Choose a picture, drop it or paste it
web-picture-attached = Attached picture
web-picture-remove = Remove the picture
web-picture-choose = Choose a picture
web-uploading = Sending the picture…
web-drop = Let go: I take it from here.

# --- answers
web-ask-value = /{ $command } needs a value for “{ $parameter }”. Write it here.
web-working = At work…
web-stop = Stop
web-progress = Progress
web-copy = Copy
web-copied = Copied
web-data = Raw result (JSON)
web-enlarge = Enlarge: { $name }
web-download = Download
web-play = Play the animation
web-pause = Pause the animation
web-zoom = Picture, enlarged
web-zoom-in = Zoom in
web-zoom-out = Zoom out
web-zoom-fit = Whole picture
web-picture-gone = This picture is no longer here.
web-picture-unseen = This file cannot be shown.
web-lost-answer = The program was restarted and this answer was lost. Ask again.

# --- the connection
web-connection-lost = The connection is lost. Trying again…
web-connection-retry = Try now
web-connection-back = Connected again.
web-connection-wait = There is no connection right now. Your text is still here; send it again in a moment.

# --- what the page itself refuses
web-not-a-picture = “{ $name }” is not a picture. Choose a JPEG, PNG or WebP.
web-too-large = “{ $name }” is over { $megabytes } MB. Choose a smaller picture.
web-too-many = At most { $count } pictures at a time; I took the first ones.
web-text-too-long = That is too long: at most { $count } characters. Please shorten it.
web-upload-failed = The picture did not arrive. Try again.
web-needs-picture = Add a picture first.
web-needs-value = Fill in “{ $name }”.

# --- what the server refuses
web-error-garbled = I could not read that message. Reload the page and try again.
web-error-message-too-long = That is too long: at most { NUMBER($longest) } characters. Please shorten it.
web-error-too-fast = You are going too fast. Wait a moment and try again.
web-error-busy = { $running } answers are still on their way. Wait for one, or stop one.
web-error-question-gone = That question is closed. Type the command again.
web-error-upload = The picture could not be taken. Try again.
web-error-upload-slow = The picture took too long to arrive. Try again, or send a smaller one.

# --- sign-in
web-sign-in = Sign in
web-sign-in-lead = Whoever runs this tour has asked for an access token. You get it from them.
web-sign-in-token = Access token
web-sign-in-wrong = That is not the access token. Check it and try again.
web-sign-in-wait = Too many wrong guesses. Wait a minute, then try again.
