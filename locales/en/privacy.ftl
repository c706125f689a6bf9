privacy = privacy
    .description = See, export or delete what I remember about you
    .action = action
    .action-description = What to do with it; leave it out to see it
    .sure = sure
    .sure-description = Needed to delete: yes, you are sure
privacy-action-show = show
privacy-action-export = export
privacy-action-delete = delete

privacy-held =
    This is what I remember about you:
    { $facts }
privacy-identity = • who you are to this platform: { $user }
privacy-seen = • when I first saw you ({ DATETIME($first, dateStyle: "long") }) and when I last did ({ DATETIME($last, dateStyle: "long") })
privacy-language = • the language you chose: { $language }
privacy-no-language = • language: you have not chosen one yet
privacy-usage = { $count ->
    [0] • no commands that you ran
    [one] • one command that you ran: which, when, in which chat, how long it took and how it ended
   *[other] • { $count } commands that you ran: which, when, in which chat, how long they took and how they ended
}
privacy-buttons = { $count ->
    [0] • no buttons
    [one] • one button under my answers, with the settings and the text that it repeats
   *[other] • { $count } buttons under my answers, with the settings and the text that they repeat
}
privacy-not-held = I write neither your pictures nor my answers to any disk; of what you write I keep only what a button needs to repeat it.
privacy-pictures = A picture is in my memory for as long as I work on it; where a button needs it again, I fetch it from this chat. A few of my latest results stay in memory, without your name, until others take their place.
privacy-pictures-web = A picture that you send, and an answer that I give, is in my memory for at most { $minutes ->
    [one] one minute
   *[other] { $minutes } minutes
}, so that buttons can use it. A few of my latest results stay there, without your name, until others take their place.
privacy-style = { $minutes ->
    [one] For one minute
   *[other] For { $minutes } minutes
} I remember the generated face that I found for a face in your photo: as a row of numbers, in memory, for your buttons alone.
privacy-faces = I train no model on your pictures, and I compare no face with anybody’s to find out whose it is.
privacy-safety = Where faces are worked on, a model of my own looks for what is not fit for a chat. No person looks, and what it finds is not noted under your name.
privacy-kept = Commands and buttons are deleted after { $days } days. The language you chose stays until you delete it.
privacy-export-button = Give me a copy
privacy-delete-button = Delete it
privacy-exported = Everything I remember about you is in this file.
privacy-sure = This deletes for good all that I remember about you, and the buttons under my earlier answers stop working. Are you sure?
privacy-delete-now = Yes, delete everything
privacy-keep = No, keep it
privacy-deleted = Done: everything I remembered about you is deleted. What you do from now on is recorded again.
