gpt = gpt
    .description = Bir dil modeli sana sözcük sözcük cevap verir
    .text = metin
    .text-description = Modelin yanıtlayacağı ya da devam ettireceği metin
    .temperature = sıcaklık
    .temperature-description = 0 hep en olası sözcüğü seçer; 1’in üzerinde model iyice serbestleşir
    .length = uzunluk
    .length-description = En çok kaç token (sözcük parçası) yazabileceği
    .seed = tohum
    .seed-description = Aynı tohum aynı metni yeniden üretir

gpt-cut = { $tokens } token sonunda kesildi; “uzunluk” değerini büyütürsen daha uzun yazar.
gpt-silent = Model söyleyecek bir şey bulamadı.
gpt-speaks-english = Bu küçük model yalnızca İngilizce biliyor. Türkçe de bilen daha büyük bir model (1,1 GB) şu komutla indirilir: { $command }
gpt-greedy = Yalnızca en olası sözcükler
gpt-wild = Daha çılgın

gpt-how = GPT o ana kadarki metni okur ve bildiği her sözcük parçası için “sıradaki bu olabilir mi?” sorusuna bir olasılık hesaplar; sonra birini çeker, metne ekler ve baştan başlar. Bunu, milyarlarca cümlenin sonraki sözcüğünü tahmin ede ede, başka hiçbir öğretmen olmadan öğrenmiştir. GPT-3 aynı işi 175 milyar parametreyle yapıyordu; burada sana cevap veren model onun binde biri kadar, o yüzden verdiği bilgilere güvenme.
gpt-paper = Radford vd.: Language Models are Unsupervised Multitask Learners (2019); Brown vd.: Language Models are Few-Shot Learners (2020)
gpt-paper-url = https://arxiv.org/abs/2005.14165
