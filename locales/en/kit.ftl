### Words that belong to no single command.

# --- an answer on its way
queued = You are number { $position } in the queue.
queued-eta = { $position ->
    [one] You are next. About { $duration } to go.
   *[other] You are number { $position } in the queue. About { $duration } to go.
}
downloading = Fetching the model { $model } ({ $megabytes } MB). This happens only once.
loading = Waking the model { $model }.
working = { $model } is at work.
working-on = Still at work.
cancelled = Cancelled.
cancelled-by-moderator = A moderator cancelled this.
album-progress = { $done } of { $total } pictures done.
album-picture = { $number }. { $text }

# --- how long, after “about”
duration-seconds = { $seconds ->
    [one] a second
   *[other] { $seconds } seconds
}
duration-minutes = { $minutes ->
    [one] a minute
   *[other] { $minutes } minutes
}
duration-hours = { $hours } hours
try-again = Try again in a little while.
try-again-eta = Try again in about { $duration }.

# --- who answered
credit = Model: { $model }
credit-stand-in = Model: { $model }, a small stand-in for { $original }

# --- buttons that every answer may have
button-cancel = Cancel
button-again = Again
button-variation = Variation
button-delete = Delete
button-how = How does it work?
button-next = Next stop: /{ $command }
button-paper = Read the paper

# --- asking for what is missing
ask-picture = /{ $command } needs a picture. Send one and I will go on from there.
ask-value = /{ $command } needs a value for “{ $parameter }”. Type it after the command.

# --- commands and their parameters
error-stopping = I am restarting. Try again in a minute.
error-stopped = I am restarting and had to stop this before it was done. Try again in a minute.
error-not-a-command = Type a command that starts with a slash; /help lists them all.
error-command-empty = Type a command after the slash; /help lists them all.
error-command-meant = There is no /{ $typed }. Did you mean /{ $command }?
error-command-unknown = There is no /{ $typed }. Type /help for everything I can do.
error-parameter-unknown = This command has no setting called “{ $name }”.
error-text-unexpected = I do not know what to do with “{ $text }” here. Name the setting, as in name:value.
error-picture-expected = “{ $parameter }” must be a picture.
error-text-expected = “{ $parameter }” must be text.
error-text-empty = “{ $parameter }” is empty. Write something there.
error-text-too-long = “{ $parameter }” has { $length } characters; at most { $longest } fit. Please shorten it.
error-text-invisible = “{ $parameter }” contains invisible control characters. Retype the text or remove them.
error-number-expected = “{ $parameter }” must be a number, such as 0.5.
error-number-whole = “{ $parameter }” must be a whole number, such as 3.
error-number-range = “{ $parameter }” must lie between { $low } and { $high }.
error-boolean-expected = “{ $parameter }” must be yes or no.
error-choice-expected = “{ $parameter }” must be one of: { $options }.

# --- pictures
error-picture-empty = The file is empty. Send the picture again.
error-picture-unknown = This is not a picture I can read. Send a JPEG, PNG or WebP.
error-picture-svg = SVG is a drawing made of instructions, not pixels. Send it as PNG or JPEG.
error-picture-pdf = This is a PDF, whatever its name says. Send a page of it as PNG or JPEG.
error-picture-heic = I cannot read HEIC. Send the photo as JPEG (on an iPhone: share it as “Most Compatible”).
error-picture-broken = The picture is damaged or incomplete. Send it again, or save it in another format first.
error-picture-too-many-pixels = The picture is too big: at most { $megapixels } megapixels and 20,000 pixels a side. Make it smaller and send it again.
error-picture-too-small = The picture is too small: at least 8 pixels a side.
error-picture-too-large = The file is over { $megabytes } MB. Send a smaller one.
error-picture-gone = I no longer have that picture. Send it again.
note-picture-animated = An animation: I looked at its first frame.
note-picture-turned = I turned the picture upright, as the camera noted it.

# --- the queue and the models
error-queue-all = { $waiting ->
    [one] One job is waiting and no more fit.
   *[other] { $waiting } jobs are waiting and no more fit.
} { $again }
error-queue-user = You have { $waiting ->
    [one] one job
   *[other] { $waiting } jobs
} waiting already, as many as one person may have. { $again } To make room now, type /cancel.
error-queue-chat = { $waiting ->
    [one] One job
   *[other] { $waiting } jobs
} from this chat or network { $waiting ->
    [one] is
   *[other] are
} waiting already, as many as I take from one place. { $again }
error-queue-bytes = The pictures and texts that wait for their answers fill the memory that I keep for them. { $again }
error-timeout = This took longer than { $seconds } seconds, so I stopped it. Try something smaller.
error-model-unavailable = The model cannot be loaded right now; whoever runs me finds the reason in the log.
error-model-too-large = The model { $model } needs { $needed } GB of memory, and the device has { $budget } GB for it. Whoever runs me can choose a smaller model or a larger device.
error-out-of-memory = The device ran out of memory on this. Try something smaller.
error-worker-lost = The model crashed on this twice. Try other input.
error-studio-lost = The drawing failed on this picture. Try another one.
error-input-empty = There is nothing to work on. Send some text.
error-input-too-long = This is longer than the model can read. Please shorten it.
error-unforeseen = Something went wrong, and it is our fault. If you report it, mention the number { $id }.
error-id = If you report it, mention the number { $id }.

# --- buttons
error-button-not-yours = This button belongs to somebody else. Type the command to get one of your own.
error-button-not-yours-but = This button belongs to { $name }. Type the command to get one of your own.
error-button-gone = I no longer know this button. Type the command again.

# --- places
error-elsewhere = I do not answer in this channel. You will find me in { $channels }.
error-elsewhere-unseen = I do not answer in this channel. A moderator can tell you where I do.

# --- numbers up to ten as words
number-in-words = { $number ->
    [1] one
    [2] two
    [3] three
    [4] four
    [5] five
    [6] six
    [7] seven
    [8] eight
    [9] nine
    [10] ten
   *[other] { $number }
}
