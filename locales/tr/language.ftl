language = dil
    .description = Türkçe mi İngilizce mi konuşacağımızı seç
    .language = dil
    .language-description = Seninle konuşacağım dil; yazmazsan sorarım
language-language-tr = Türkçe
language-language-en = İngilizce

language-current = Şu anda Türkçe konuşuyoruz. Hangi dili istersin?

# Düğmeler ve onaylar, götürdükleri dili konuşur: iki dosyada da aynıdırlar.
language-button-tr = Türkçe
language-button-en = English
language-set-tr = Tamam, bundan sonra seninle Türkçe konuşacağım.
language-set-en = All right, from now on I will speak English with you.
