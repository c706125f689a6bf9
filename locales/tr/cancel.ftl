cancel = iptal
    .description = Süren işlerini durdurur
    .run = iş
    .run-description = Hangi iş olduğu; düğmeler kendileri doldurur. Yazmazsan işlerinin hepsi durur

cancel-command = /{ $command }
cancel-done = { $count ->
    [one] İptal edildi: { $commands }.
   *[other] { $count } iş iptal edildi: { $commands }.
}
cancel-nothing = İptal edebileceğim, süren bir işin yok.
cancel-over = O iş çoktan bitmiş; iptal edilecek bir şey kalmamış.
cancel-not-yours = Bunu başkası başlatmış; yalnızca başlatan ya da bir moderatör iptal edebilir.
cancel-not-yours-but = Bunu başlatan: { $name }. Yalnızca başlatan ya da bir moderatör iptal edebilir.
