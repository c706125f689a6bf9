### Programın kendi uçbiriminde söyledikleri.

serving = Bağlandı: { $platform }
serving-at = { $platform }: { $address }
serving-stop = Bu sayfaya bir fotoğraf bırak. Durdurmak için Ctrl+C.

interrupted = /{ $command } çalışırken yeniden başlatıldım; cevabı kayboldu.
interrupted-button = Yeniden başlat: /{ $command }
