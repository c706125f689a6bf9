### Yalnızca Telegram’a gerekenler.

# --- botun kendi sayfası: ilki boş sohbette (512 harf), ikincisi profilde (120 harf) görünür
telegram-about = Tadım, Derin Öğrenme Tadım Turu’dur: konuşmanın her durağı bir komut. Bir fotoğraf gönder, ağın onda ne bulduğunu gör; ya da bir cümle yaz, dil modelinin onu nasıl sürdürdüğünü izle. Modeller, bu botu kim barındırıyorsa onun bilgisayarında çalışır. Bütün komutlar /yardım içinde, neyin saklandığı /gizlilik içinde.
telegram-about-short = Derin Öğrenme Tadım Turu: fotoğraf gönder ya da komut yaz. Türkçe ve English.

# --- karşılama ve ipuçları
telegram-welcome = Derin Öğrenme Tadım Turu’na, Tadım’a hoş geldin. Bana bir fotoğraf gönder ya da bütün komutlar için yazı alanının yanındaki menüyü aç.
telegram-command-button = /{ $command }
telegram-picture-offer = { $count ->
    [one] Bir resim! Onunla ne yapayım?
   *[other] { $count } resim! Onlarla ne yapayım?
}
telegram-plain-words = Komutlardan ve resimlerden anlarım. Bütün komutlar için yazı alanının yanındaki menüyü aç ya da bana bir fotoğraf gönder.
telegram-plain-words-button = Komutlardan ve resimlerden anlarım. İstersen sözlerini bir dil modeli sürdürsün:
telegram-plain-words-command = Komutlardan ve resimlerden anlarım. Bu metin bir düğme için fazla uzun; bir dil modelinin okumasını istersen onu kısaltıp başına /{ $command } yaz.
telegram-unreadable = Bu tür mesajları okuyamıyorum. Resmi fotoğraf ya da dosya olarak gönder veya bir komut yaz.
telegram-document-too-large = En fazla { $megabytes } MB’lık metin dosyalarını okuyorum. Bu dosya daha büyük.
telegram-document-not-text = Bu dosya düz metin değil, okuyamıyorum. Onu .txt olarak kaydedip yeniden gönder.
telegram-document-unexpected = /{ $command } burada metin dosyası kullanamıyor: ya metin almıyor ya da metni zaten yazdın.
telegram-document-one = Her seferinde tek bir metin dosyası okuyabiliyorum. Hepsini bir dosyada toplayıp onu gönder.
telegram-document-gone = Bu dosya artık Telegram’da yok. Onu yeniden gönder.
telegram-edited = İlgili mesajı düzenlediğin için bunu durdurdum.
telegram-too-many = Önceki sorularının cevapları hâlâ yolda. Onları bekleyip yeniden dene.
telegram-too-fast = Okuyabileceğimden hızlı yazıyorsun. Bazı mesajlarını atladım; biraz bekleyip onları yeniden gönder.

# --- yoldaki cevap
telegram-begun = Başladım.
telegram-writing = Yazıyorum…

# --- cevaplanabilecek olandan çok şey sorulan bir grup
telegram-crowd = Aynı anda çok kişi soruyor; Telegram ise bir gruba dakikada yalnızca yirmi mesaj göndermeme izin veriyor. Cevabın özelde seni bekliyor; oradan almazsan sırası gelince buraya göndereceğim.
telegram-crowd-button = Cevabımı al
telegram-crowd-later = Hâlâ üzerinde çalışıyorum. Cevap buraya gelecek.

# --- Telegram’ın izin vermedikleri
telegram-file-too-large = Bu cevabın bir dosyası Telegram için fazla büyük; o yüzden onu gönderemedim.
telegram-undelivered = Telegram bu cevabın bir bölümünü kabul etmedi. Lütfen bir kez daha dene.
telegram-pictures-forbidden = Bu grupta resim gönderme iznim yok. Yöneticiler izin verebilir; ya da bana özelden yaz.
telegram-sent-privately = Seninle ilgili olduğu için özelden gönderdim.
telegram-write-first = Bu seninle ilgili; o yüzden özelden göndermek isterim. Benimle bir sohbet aç, Başlat’a bas ve orada yeniden sor.
telegram-open-private = Özel sohbet aç
telegram-not-deleted = Telegram bu cevabı silmeme izin vermedi. Mesajlarımı yalnızca iki gün içinde silebiliyorum.
telegram-delete-later = Bu cevabı silmek için Telegram’a ulaşamadım. Bir kez daha dene.
