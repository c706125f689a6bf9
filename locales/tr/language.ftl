language = dil
    .description = Türkçe mi İngilizce mi konuşacağımızı seç
    .language = dil
    .language-description = Konuşacağım dil; otomatik, seçimi geri alır. Yazmazsan sorarım
    .scope = kapsam
    .scope-description = Kimin için: yalnız sen, buradaki herkes ya da yalnız bu kanaldaki herkes
language-language-tr = Türkçe
language-language-en = İngilizce
language-language-automatic = otomatik
language-scope-me = ben
language-scope-chat = sohbet
language-scope-channel = kanal

language-current = Şu anda Türkçe konuşuyoruz. Hangi dili istersin?
language-which = Burada herkesle hangi dilde konuşayım?
language-not-yours = Herkesle konuşacağım dili bu sohbeti yönetenler seçer. Kendi dilini /dil ile seçebilirsin.

# Düğmeler ve onaylar, götürdükleri dili konuşur: iki dosyada da aynıdırlar.
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

# Seçilmiş olan unutulur: bunlar okuyanın dilinde söylenir.
language-button-automatic = Otomatik
language-set-automatic = Tamam, bundan sonra uygulamanın ya da sohbetin diline uyacağım.
language-set-chat-automatic = Tamam, bundan sonra bu sohbette kim sorarsa onun dilinde cevap vereceğim.
language-set-server-automatic = Tamam, bundan sonra sunucunun kendi ayarına, o yoksa soranın diline uyacağım.
language-set-channel-automatic = Tamam, bundan sonra burada da sunucunun geri kalanındaki dil geçerli.
