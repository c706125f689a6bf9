language = language
    .description = Choose whether we speak Turkish or English
    .language = language
    .language-description = The language I shall speak; leave it out to be asked
    .scope = for
    .scope-description = For whom: you alone, everybody here, or everybody in this one channel
language-language-tr = Turkish
language-language-en = English
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
