### Yalnızca Telegram’a gerekenler.

# --- botun kendi sayfası: ilki boş sohbette (512 harf), ikincisi profilde (120 harf) görünür
telegram-about = Tadım, Derin Öğrenme Tadım Turu’dur: konuşmanın her durağı bir komut. Bir fotoğraf gönder, ağın onda ne bulduğunu gör; ya da bir cümle yaz, dil modelinin onu nasıl sürdürdüğünü izle. Modeller, bu botu kim barındırıyorsa onun bilgisayarında çalışır. Bütün komutlar /yardım içinde, neyin saklandığı /gizlilik içinde.
telegram-about-short = Derin Öğrenme Tadım Turu: fotoğraf gönder ya da komut yaz. Türkçe ve English.

# --- karşılama ve ipuçları
telegram-welcome = Derin Öğrenme Tadım Turu’na, Tadım’a hoş geldin. Bana bir fotoğraf gönder ya da bütün komutlar için yazı alanının yanındaki menüyü aç.
telegram-command-button = /{ $command }
telegram-picture-offer = Bir resim! Onunla ne yapayım?
telegram-plain-words = Komutlardan ve resimlerden anlarım. Bütün komutlar için yazı alanının yanındaki menüyü aç ya da bana bir fotoğraf gönder.
telegram-plain-words-button = Komutlardan ve resimlerden anlarım. İstersen sözlerini bir dil modeli sürdürsün:
telegram-plain-words-command = Komutlardan ve resimlerden anlarım. Bu metin bir düğme için fazla uzun; onu bir dil modeli okusun istersen kısaltıp başına /{ $command } yaz.
telegram-unreadable = Bu tür mesajları okuyamıyorum. Resmi fotoğraf ya da dosya olarak gönder veya bir komut yaz.
telegram-album = Her seferinde tek bir resim alabiliyorum; bu yüzden ilkini aldım. Kalanları tek tek gönder.
telegram-too-fast = Okuyabileceğimden hızlı yazıyorsun. Bazı mesajlarını atladım; biraz bekleyip onları yeniden gönder.

# --- yoldaki cevap
telegram-begun = Başladım.

# --- Telegram’ın izin vermedikleri
telegram-file-too-large = Bu cevabın bir dosyası 50 MB’tan büyük; Telegram onu kabul etmiyor.
telegram-undelivered = Telegram bu cevabın bir bölümünü kabul etmedi. Lütfen bir kez daha dene.
telegram-pictures-forbidden = Bu grupta resim gönderme iznim yok. Yöneticiler izin verebilir; ya da bana özelden yaz.
telegram-sent-privately = Seninle ilgili olduğu için özelden gönderdim.
telegram-write-first = Bu seninle ilgili; o yüzden özelden göndermek isterim. Benimle bir sohbet aç, Başlat’a bas ve orada yeniden sor.
telegram-open-private = Özel sohbet aç
