language = language
    .description = Choose whether we speak Turkish or English
    .language = language
    .language-description = The language I shall speak, or automatic to take a choice back; leave it out to be asked
    .scope = for
    .scope-description = For whom: you alone, everybody here, or everybody in this one channel
language-language-tr = Turkish
language-language-en = English
language-language-automatic = automatic
language-scope-me = me
language-scope-chat = chat
language-scope-channel = channel

language-current = We are speaking English. Which language would you like?
language-which = Which language shall I speak with everybody here?
language-not-yours = The language for everybody here is chosen by those who look after this chat. Your own you choose with /language.

# Buttons and confirmations speak the language they lead to: they are the same in both files.
language-button-tr = Türkçe
language-button-en = English
language-set-tr = Tamam, bundan sonra seninle Türkçe konuşacağım.
language-set-en = All right, from now on I will speak English with you.
language-set-chat-tr = Tamam, bundan sonra bu sohbette herkese Türkçe cevap vereceğim; kendi dilini seçmiş olanlar dışında.
language-set-chat-en = All right, from now on I will answer everybody in this chat in English, except those who chose a language of their own.
language-set-server-tr = Tamam, bundan sonra bu sunucuda herkese Türkçe cevap vereceğim; kendi dilini seçmiş olanlar ve ayrı bir dil seçilmiş kanallar dışında.
language-set-server-en = All right, from now on I will answer everybody on this server in English, except where a person or a channel has a language of its own.
language-set-channel-tr = Tamam, bundan sonra bu kanalda herkese Türkçe cevap vereceğim; kendi dilini seçmiş olanlar dışında.
language-set-channel-en = All right, from now on I will answer everybody in this channel in English, except those who chose a language of their own.

# What was chosen is forgotten: this is said in the reader's language.
language-button-automatic = Automatic
language-set-automatic = All right, from now on I go by the language of your app, or of the chat.
language-set-chat-automatic = All right, from now on I answer here in the language of whoever asks.
language-set-server-automatic = All right, from now on this server’s own settings decide, or else the language of whoever asks.
language-set-channel-automatic = All right, from now on it is here as on the rest of the server.
