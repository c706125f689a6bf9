language = language
    .description = Choose whether we speak Turkish or English
    .language = language
    .language-description = The language I shall speak with you; leave it out to be asked
language-language-tr = Turkish
language-language-en = English

language-current = We are speaking English. Which language would you like?

# Buttons and confirmations speak the language they lead to: they are the same in both files.
language-button-tr = Türkçe
language-button-en = English
language-set-tr = Tamam, bundan sonra seninle Türkçe konuşacağım.
language-set-en = All right, from now on I will speak English with you.
