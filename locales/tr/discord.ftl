### Yalnızca Discord’un gerektirdikleri.

# --- formlar
discord-form-picture = Resim seç
discord-form-value = Doldur

# --- mesaj menüleri (Uygulamalar → …); burada yazmayan komutlar kendi adını kullanır
discord-menu-detect = Algıla
discord-no-picture = Bu mesajda resim yok. Resim içeren bir mesaj seç.

# --- alt başlıklar ve cevapları silmek
discord-thread = Bunun için bir alt başlık açtım, orada devam edelim:
discord-not-deleted = Discord cevabın tamamını silmeme izin vermedi. Kalanını sunucunun moderatörleri silebilir.

# --- dosyalar
discord-smaller = Resim bu sohbet için fazla büyüktü; biraz küçültülerek gönderildi.
discord-left-out = Bir dosya bu sohbet için fazla büyüktü, o yüzden gönderilmedi.
discord-long-text = Metin sohbete sığmayacak kadar uzun; tamamı ekteki dosyada.

# --- başlangıç ve bitiş
discord-restarting = Birazdan yeniden başlayacağım. Bir dakika sonra yeniden dene.
discord-outdated = Bu komut değişti. Discord’unu yeniden başlat (Ctrl+R), sonra yeniden dene.
