### /gan: bir kalpazan ile bir dedektif, iki küçük ağ, okurun gözü önünde birbirini eğitir.

gan = gan
    .description = Üretici, ayırt ediciyi kandırmayı öğrenir; canlı izle. İstersen mod çökmesi de var
    .data = veri
    .data-description = Neyi taklit etsin: 8 nokta kümeli bir halka, böyle iki halka ya da 8 × 8 rakamlar
    .collapse = çökme
    .collapse-description = Mod çökmesi çıksın mı: ayırt edici çok daha yavaş öğrenir
    .steps = adım
    .steps-description = Eğitim adımı sayısı, 100 ile 5000 arası
    .seed = tohum
    .seed-description = Rastgeleliğin kaynağı; aynı tohum aynı filmi verir
gan-data-ring = halka
gan-data-rings = halkalar
gan-data-digits = rakamlar

# --- eğitim sürerken
gan-training = Adım: { NUMBER($step) } / { NUMBER($steps) }. Kayıp: ayırt edici { NUMBER($discriminator, minimumFractionDigits: 2, maximumFractionDigits: 2) }, üretici { NUMBER($generator, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
gan-drawing = Eğitim bitti; filmi çiziyorum.

# --- ne görüldü
gan-said-points-covered = Üretici (generator) { $modes } modun, yani nokta kümesinin hepsini kapsıyor; hem de { NUMBER($step) }. adımdan beri. Ürettiği noktaların bir modun 3σ yakınına düşme oranı { NUMBER($good, style: "percent", maximumFractionDigits: 0) }; gerçek noktalarda bu oran { NUMBER(0.99, style: "percent") }.
gan-said-points-gaps = Üretici (generator) { $modes } moddan, yani nokta kümesinden { $covered } tanesini kapsıyor; ürettiği noktaların bir modun 3σ yakınına düşme oranı { NUMBER($good, style: "percent", maximumFractionDigits: 0) }. Daha çok adım ya da başka bir tohum işe yarayabilir.
gan-said-points-collapsed = Mod çökmesi (mode collapse): eğitimin ikinci yarısında üretici (generator) { $modes } moddan, yani nokta kümesinden { $most ->
    [0] hiçbirini kapsayamadı
   *[other] aynı anda en çok { $most } tanesini kapsadı
}. Film boyunca uğradığı mod sayısı { $visited }; ama hep sırayla: Ayırt edici bir yerin sahtesini tanıdı mı, bütün noktalar bir sonraki yere taşınıyor.
gan-said-digits-covered = Üretilenler arasında { $modes } rakamın hepsi var; hem de { NUMBER($step) }. adımdan beri. Üretilen { NUMBER($judged) } rakamdan gerçek bir rakama, onun üçüncü komşusu kadar yakın olanların oranı { NUMBER($good, style: "percent", maximumFractionDigits: 0) }. Bu, hoşgörülü bir sınav: kenara ayrılmış gerçek rakamlarda oran { NUMBER(0.79, style: "percent") }, iki rakamın karışımlarında { NUMBER(0.23, style: "percent") }.
gan-said-digits-gaps = Üretilenler arasında { $modes } rakamdan { $covered } tanesi var. Üretilen { NUMBER($judged) } rakamdan gerçek bir rakama, onun üçüncü komşusu kadar yakın olanların oranı { NUMBER($good, style: "percent", maximumFractionDigits: 0) }; kenara ayrılmış gerçek rakamlarda bu oran { NUMBER(0.79, style: "percent") }, iki rakamın karışımlarında { NUMBER(0.23, style: "percent") }. Daha çok adım ya da başka bir tohum işe yarayabilir.
gan-said-digits-collapsed = Mod çökmesi (mode collapse): eğitimin ikinci yarısında üretilenler arasında { $modes } rakamdan { $most ->
    [0] hiçbiri doğru dürüst çıkmadı
   *[other] aynı anda en çok { $most } tanesi vardı
}. Film boyunca uğradığı rakam sayısı { $visited }: Ayırt edici bir resmin sahtesini tanıdı mı, bütün resimler bir sonrakine dönüşüyor.
gan-why = Değiştirilen tek şey: ayırt edici (discriminator) { $slower } kat yavaş öğrendi. 2014’teki makale buna karşı uyarır: Ayırt edici yerinde sayarken fazla eğitilen üretici, gitgide daha çok rastgele sayıyı gerçek diye geçen tek bir şeye bağlar. Yalnızca kayıplara baksan bunu pek anlayamazdın.
gan-why-not = Ayırt edici (discriminator) { $slower } kat yavaş öğrendi; bu çoğunlukla mod çökmesiyle biter, bu kez bitmedi. Başka bir tohum dene.
gan-balance = Sonunda ayırt edici, gerçek örneklere ortalama { NUMBER($real, minimumFractionDigits: 2, maximumFractionDigits: 2) }, üretilenlere { NUMBER($fake, minimumFractionDigits: 2, maximumFractionDigits: 2) } olasılıkla gerçek diyor; ½ ise yazı tura atmaktan farksız.
gan-source = Gerçek rakamlar: E. Alpaydın ve C. Kaynak, Boğaziçi Üniversitesi (UCI arşivi, CC BY 4.0)
gan-settings = { NUMBER($steps) } adım, tohum { $seed }, eğitim süresi: { NUMBER($seconds, maximumSignificantDigits: 2) } sn

# --- düğmeler
gan-button-collapse = Mod çökmesini göster
gan-button-balance = Yeniden dengede
gan-button-steps = { NUMBER($steps) } adım
gan-button-ring = Tek halka
gan-button-rings = İki halka
gan-button-digits = El yazısı rakamlar

# --- resmin içinde
gan-picture-ring = tek halka
gan-picture-rings = iki halka
gan-picture-digits = rakamlar
gan-picture-setup = { $data } · tohum { $seed }
gan-picture-setup-unbalanced = { $data }, dengesiz · tohum { $seed }
gan-picture-step = adım { NUMBER($step) } / { NUMBER($steps) }
gan-picture-covered = { $covered } / { $modes }
gan-picture-covered-points = kapsanan mod
gan-picture-covered-digits = kapsanan rakam
gan-picture-good = { NUMBER($good, style: "percent", maximumFractionDigits: 0) }
gan-picture-good-points = bir modun 3σ yakınında
gan-picture-good-digits = gerçeğine yakın
gan-picture-real = gerçek
gan-picture-generated = üretilen
gan-picture-fake = sahte
gan-picture-says = Ayırt edici ne diyor
gan-picture-real-digits = Karşılaştırmak için gerçekleri
gan-picture-loss = Kayıp (loss)
gan-picture-discriminator = ayırt edici
gan-picture-generator = üretici
gan-picture-outputs = Ayırt edici ne diyor
gan-picture-tick = { NUMBER($step) }
gan-picture-axis = adım
gan-picture-guess = ln 2 ≈ { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }: yazı tura

# --- resimler sözle
gan-alt-film-points = Eğitimin animasyonu. Üstte düzlem: kümeler hâlinde gerçek noktalar, onlara doğru yol alan üretilmiş noktalar ve altlarında ayırt edicinin kararı; gerçek dediği yer mavi, sahte dediği yer turuncu. Altta iki ağın kaybı ile ayırt edicinin gerçek ve üretilmiş noktalara ortalama ne dediği. Sonunda kapsanan mod: { $covered } / { $modes }; üretilen noktalardan bir modun 3σ yakınında olanlar: { NUMBER($good, style: "percent", maximumFractionDigits: 0) }.
gan-alt-still-points = Son kare. Üstte gerçek ve üretilmiş noktalar, altlarında ayırt edicinin kararı; altta iki ağın kaybı ve ayırt edicinin ortalama ne dediği. Kapsanan mod: { $covered } / { $modes }; üretilen noktalardan bir modun 3σ yakınında olanlar: { NUMBER($good, style: "percent", maximumFractionDigits: 0) }.
gan-alt-live-points = Eğitimin ortasında gerçek ve üretilmiş noktalar, altlarında ayırt edicinin kararı: gerçek dediği yer mavi, sahte dediği yer turuncu.
gan-alt-film-digits = Eğitimin animasyonu. Üstte { NUMBER(56) } üretilmiş rakam gri gürültüden yavaş yavaş belirir; ayırt edici gerçek diyorsa çerçevesi mavi, sahte diyorsa turuncu olur. Altlarında bir sıra gerçek rakam, yanlarında hangi rakamdan kaç tane düzgün çıktığı. En altta iki ağın kaybı ve ayırt edicinin ortalama ne dediği. Sonunda kapsanan rakam: { $covered } / { $modes }; gerçeğine yakın olanlar: { NUMBER($good, style: "percent", maximumFractionDigits: 0) }.
gan-alt-still-digits = Son kare. Üstte { NUMBER(56) } üretilmiş rakam ve altlarında bir sıra gerçek rakam; en altta iki ağın kaybı ve ayırt edicinin ortalama ne dediği. Kapsanan rakam: { $covered } / { $modes }; gerçeğine yakın olanlar: { NUMBER($good, style: "percent", maximumFractionDigits: 0) }.
gan-alt-live-digits = Eğitimin ortasında üretilmiş rakamlar; çerçeveleri ayırt edicinin onlara ne dediğini gösterir. Altlarında bir sıra gerçek rakam.

# --- nasıl çalışıyor
gan-how = GAN’da (Generative Adversarial Network, 2014) iki ağ birbirine karşı oynar: bir kalpazan olan üretici (generator) rastgele sayılardan örnekler yapar, bir dedektif olan ayırt edici (discriminator) bunları gerçeklerinden ayırmayı öğrenir. Her biri ötekinin yanlışından öğrenir; ta ki dedektif yazı tura atmaktan öteye geçemeyene ya da mod çökmesi (mode collapse) baş gösterip kalpazan, nasılsa yutturduğu tek bir şeyi yapıp durana dek. Aynı oyun daha büyük ağlarla yüz de çizer; sunumun bağlantısını verdiği lightweight-gan (lucidrains) bunu az sayıda resimden öğrenmek için yapılmıştır.
gan-paper = Goodfellow ve ark. (2014), Generative Adversarial Nets
gan-paper-url = https://arxiv.org/abs/1406.2661
