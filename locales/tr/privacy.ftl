privacy = gizlilik
    .description = Hakkında neler sakladığımı gör, indir ya da sil
    .action = işlem
    .action-description = Ne yapılacağı; yazmazsan gösteririm
    .sure = eminim
    .sure-description = Silmek için gerekli: evet, eminsin
privacy-action-show = göster
privacy-action-export = indir
privacy-action-delete = sil

privacy-held =
    Hakkında sakladığım her şey:
    { $facts }
privacy-identity = • bu platformdaki kimliğin: { $user }
privacy-seen = • seni ilk gördüğüm gün ({ DATETIME($first, dateStyle: "long") }) ve son gördüğüm gün ({ DATETIME($last, dateStyle: "long") })
privacy-language = • seçtiğin dil: { $language }
privacy-no-language = • dil: henüz seçmedin
privacy-usage = { $count ->
    [0] • çalıştırdığın komut yok
   *[other] • çalıştırdığın { $count } komut: hangisi, ne zaman, hangi sohbette, ne kadar sürdüğü ve nasıl bittiği
}
privacy-buttons = { $count ->
    [0] • düğme yok
   *[other] • cevaplarımın altındaki { $count } düğme; yineledikleri ayarlar ve metinle birlikte
}
privacy-not-held = Resimlerini ve cevaplarımı saklamam; yazdıklarından yalnızca bir düğmenin işi yineleyebilmesi için gerekeni tutarım.
privacy-kept = Komutlar ve düğmeler { $days } gün sonra silinir. Seçtiğin dil, sen silinceye kadar saklanır.
privacy-export-button = Bir kopyasını ver
privacy-delete-button = Sil
privacy-exported = Hakkında sakladığım her şey bu dosyada.
privacy-sure = Hakkında sakladığım her şey geri dönüşü olmadan silinecek, eski cevaplarımın altındaki düğmeler de çalışmaz olacak. Emin misin?
privacy-delete-now = Evet, hepsini sil
privacy-keep = Hayır, kalsın
privacy-deleted = Tamam, hakkında sakladığım her şeyi sildim. Bundan sonra yaptıkların yeniden kaydedilir.
